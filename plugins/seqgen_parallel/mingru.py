"""The minimal GRU.

    z = sigmoid(W_z x)
    h~ = g(W_h x)                      g(x) = x + 0.5 where x >= 0, else sigmoid(x)
    h' = (1 - z) * h + z * h~

Biases of W are omitted.

Source: arXiv:2410.01201, appendix B, sequential form; the state starts at 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqgen_parallel.linear_recurrence import LinearRecurrentCell, positive


class MinGRUCell(LinearRecurrentCell):
    """A minGRU cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return 1 - z and z * h~, (B, T, 2 H)."""
        gate_BTH, candidate_BTH = self.input(x_BTI).chunk(2, 2)
        z_BTH = torch.sigmoid(gate_BTH)
        return torch.cat((1 - z_BTH, z_BTH * positive(candidate_BTH)), 2)
