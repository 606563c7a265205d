"""The multiplicative LSTM: the recurrent state is scaled by a function of the input.

    m = (W_mx x) * (W_mh h)
    f, i, o = sigmoid(W x + U m + b)
    u = tanh(W_u x + U_u m + b_u)
    c' = f * c + i * u
    h' = o * tanh(c')

Source: arXiv:1609.07959, after the implementation of arXiv:1704.01444 (openai/generating-reviews-discovering-sentiment)
without its weight normalization. Implementations of an earlier version of the paper leave out the tanh of u and put o
inside the other, h' = tanh(o * c'). The forget gate's initial bias is 1, as for the LSTM.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.lstm_base import LSTMBase


class MuLSTMCell(LSTMBase):
    """A multiplicative LSTM cell.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), each (B, H).
        forget_bias: initial bias of the forget gate.
    """

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.factor = nn.Linear(input_size, hidden_size, bias=False)
        self.multiplied = seqgen.Recurrent(hidden_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 4 * hidden_size)
        nn.init.constant_(self.input.bias[:hidden_size], forget_bias)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for f, i, o and u, then W_mx x, (B, T, 5 H)."""
        return torch.cat((self.input(x_BTI), self.factor(x_BTI)), 2)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        (h_BH, c_BH), H = state, self.hidden_size
        p_BP, factor_BH = p_BP.split((4 * H, H), 1)
        m_BH = factor_BH * self.multiplied(h_BH)
        h_BH, c_BH = self.update(p_BP + self.recurrent(m_BH), c_BH)
        return h_BH, (h_BH, c_BH)
