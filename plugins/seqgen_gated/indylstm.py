"""The independently recurrent LSTM.

    f, i, o, g = W x + u * h + b        u: one vector for each of the four
    c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h' = sigmoid(o) * tanh(c')

A unit sees only its own past, and the next layer mixes the units.

Source: arXiv:1903.08023, after TensorFlow 1's IndyLSTMCell: u starts uniform in [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqgen_gated.lstm_base import LSTMBase


class IndyLSTMCell(LSTMBase):
    """An independently recurrent LSTM cell: one recurrent weight per gate and unit.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), each (B, H).
        forget_bias: initial bias of the forget gate.
    """

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.u = nn.Parameter(torch.empty(4 * hidden_size).uniform_(-1, 1))
        nn.init.constant_(self.input.bias[:hidden_size], forget_bias)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for f, i, o and g, (B, T, 4 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        h_BH, c_BH = state
        h_BH, c_BH = self.update(torch.addcmul(p_BP, self.u, h_BH.repeat(1, 4)), c_BH)
        return h_BH, (h_BH, c_BH)
