"""The mogrifier LSTM: input and state gate each other in turn before an LSTM sees them.

    x^i = 2 sigmoid(Q^i h^(i-1)) * x^(i-2)    odd i from 1 to r; x^(-1) = x, h^0 = h
    h^i = 2 sigmoid(R^i x^(i-1)) * h^(i-2)    even i

and with the last x and h of these

    f, i, o = sigmoid(W x + U h + b)
    g = tanh(W_g x + U_g h + b_g)
    c' = f * c + i * g
    h' = o * tanh(c')

With a rank k, each Q and R is factored into two matrices of inner size k.

Source: arXiv:1909.01792. W x cannot be computed for all steps at once, since the gated x depends on h. The forget
gate's initial bias is 1, as for the LSTM.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.lstm_base import LSTMBase


class MogrifierCell(LSTMBase):
    """A mogrifier LSTM cell.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), each (B, H).
        rounds: r, from 1.
        rank: k, the rank of Q and R; None for full matrices.
        forget_bias: initial bias of the forget gate.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, rounds: int = 5, rank: int | None = None, forget_bias: float = 1.0
    ) -> None:
        super().__init__(input_size, hidden_size)
        sizes = [(hidden_size, input_size), (input_size, hidden_size)]  # Q from h to x, R from x to h
        self.rounds = nn.ModuleList(_linear(*sizes[index % 2], rank) for index in range(rounds))
        self.recurrent = seqgen.Recurrent(input_size + hidden_size, 4 * hidden_size, bias=True)
        nn.init.constant_(self.recurrent.bias[:hidden_size], forget_bias)  # type: ignore[index]

    def step(self, x_BI: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        h_BH, c_BH = state
        for index, linear in enumerate(self.rounds):
            if index % 2 == 0:
                x_BI = 2 * (torch.sigmoid(linear(h_BH)) * x_BI)
            else:
                h_BH = 2 * (torch.sigmoid(linear(x_BI)) * h_BH)
        h_BH, c_BH = self.update(self.recurrent(torch.cat((x_BI, h_BH), 1)), c_BH)
        return h_BH, (h_BH, c_BH)


def _linear(in_size: int, out_size: int, rank: int | None) -> nn.Module:
    if rank is None:
        return seqgen.Recurrent(in_size, out_size)
    return nn.Sequential(seqgen.Recurrent(in_size, rank), seqgen.Recurrent(rank, out_size))
