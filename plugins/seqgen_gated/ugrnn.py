"""The update gate RNN.

    c = tanh(W_cx x + W_ch h + b_c)       new state
    g = sigmoid(W_gx x + W_gh h + b_g)    gate
    h' = g * h + (1 - g) * c

Source: arXiv:1611.09913, with tanh for its nonlinearity s. The initial b_g is an option, as there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class UGRNNCell(seqgen.StepCell):
    """An update gate RNN cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        gate_bias: initial b_g.
    """

    def __init__(self, input_size: int, hidden_size: int, *, gate_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 2 * hidden_size)
        nn.init.constant_(self.input.bias[:hidden_size], gate_bias)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W_x x + b for g and c, (B, T, 2 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equations."""
        g_BH, c_BH = (p_BP + self.recurrent(state)).chunk(2, 1)
        h_BH = torch.lerp(torch.tanh(c_BH), state, torch.sigmoid(g_BH))
        return h_BH, h_BH
