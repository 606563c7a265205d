"""The minimal LSTM.

    f = sigmoid(W_f x)
    i = sigmoid(W_i x)
    h~ = g(W_h x)                      g(x) = x + 0.5 where x >= 0, else sigmoid(x)
    f', i' = f / (f + i), i / (f + i)
    h' = f' * h + i' * h~

Biases of W are omitted.

Source: arXiv:2410.01201, appendix B, sequential form; the state starts at 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen_parallel.linear_recurrence import LinearRecurrentCell, positive


class MinLSTMCell(LinearRecurrentCell):
    """A minLSTM cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 3 * hidden_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return f' and i' * h~, (B, T, 2 H)."""
        forget_BTH, input_BTH, candidate_BTH = self.input(x_BTI).chunk(3, 2)
        # f / (f + i) is sigmoid(log f - log i), which is finite even where f and i underflow.
        f_BTH = torch.sigmoid(functional.logsigmoid(forget_BTH) - functional.logsigmoid(input_BTH))
        return torch.cat((f_BTH, (1 - f_BTH) * positive(candidate_BTH)), 2)
