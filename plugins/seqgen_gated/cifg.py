"""The LSTM with coupled input and forget gates.

    f = sigmoid(W_f x + U_f h)     forget gate; the input gate is 1 - f
    o = sigmoid(W_o x + U_o h)     output gate
    z = tanh(W_z x + U_z h)        block input
    c' = f * c + (1 - f) * z
    h' = o * tanh(c')

Biases of W are not written.

Source: arXiv:1503.04069, the variant CIFG (its y is h here), without peepholes. The forget gate's bias starts at 1, as
for the LSTM.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class CIFGCell(seqgen.StepCell):
    """Two gates and a memory.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), each (B, H).
        forget_bias: start of the forget gate's bias.
    """

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 3 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 3 * hidden_size)
        nn.init.constant_(self.input.bias[:hidden_size], forget_bias)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """H = c = 0."""
        return self.zeros(batch_size), self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """W x, for f, o and z."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The equations."""
        (h_BH, c_BH), H = state, self.hidden_size
        gates_BP, z_BH = (p_BP + self.recurrent(h_BH)).split((2 * H, H), 1)
        f_BH, o_BH = torch.sigmoid(gates_BP).chunk(2, 1)
        c_BH = torch.lerp(torch.tanh(z_BH), c_BH, f_BH)
        h_BH = o_BH * torch.tanh(c_BH)
        return h_BH, (h_BH, c_BH)
