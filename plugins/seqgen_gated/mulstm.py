"""The multiplicative LSTM: what recurs is the state times a factor that the input chooses.

    m = (W_mx x) * (W_mh h)
    f, i, o = sigmoid(W x + U m + b)
    u = tanh(W_u x + U_u m + b_u)
    c' = f * c + i * u
    h' = o * tanh(c')

Source: arXiv:1609.07959, after the implementation of arXiv:1704.01444 (openai/generating-reviews-discovering-sentiment)
without its weight normalisation. Implementations of an earlier version of the paper leave out the tanh of u and put o
inside the other, h' = tanh(o * c'). The forget gate's bias starts at 1, as for the LSTM.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class MuLSTMCell(seqgen.StepCell):
    """An LSTM that sees m in place of h.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), each (B, H).
        forget_bias: start of the forget gate's bias.
    """

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.factor = nn.Linear(input_size, hidden_size, bias=False)
        self.multiplied = seqgen.Recurrent(hidden_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 4 * hidden_size)
        nn.init.constant_(self.input.bias[:hidden_size], forget_bias)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """H = c = 0."""
        return self.zeros(batch_size), self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """W x + b, for f, i, o and u, and W_mx x."""
        return torch.cat((self.input(x_BTI), self.factor(x_BTI)), 2)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The equations."""
        (h_BH, c_BH), H = state, self.hidden_size
        p_BP, factor_BH = p_BP.split((4 * H, H), 1)
        m_BH = factor_BH * self.multiplied(h_BH)
        gates_BP, u_BH = (p_BP + self.recurrent(m_BH)).split((3 * H, H), 1)
        f_BH, i_BH, o_BH = torch.sigmoid(gates_BP).chunk(3, 1)
        c_BH = torch.addcmul(f_BH * c_BH, i_BH, torch.tanh(u_BH))
        h_BH = o_BH * torch.tanh(c_BH)
        return h_BH, (h_BH, c_BH)
