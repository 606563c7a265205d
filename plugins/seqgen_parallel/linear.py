"""What the minimal cells share: h' = a * h + b, where a and b are functions of the input."""

from __future__ import annotations

import torch
from torch import Tensor

import seqgen


class LinearCell(seqgen.StepCell):
    """A cell that is a linear recurrence; ``project`` gives a and b."""

    def initial_state(self, batch_size: int) -> Tensor:
        """H = 0."""
        return self.zeros(batch_size)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equation."""
        a_BH, b_BH = p_BP.chunk(2, 1)
        h_BH = torch.addcmul(b_BH, a_BH, state)
        return h_BH, h_BH

    def parallel(self, p_BTP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """All steps at once."""
        h_BTH = seqgen.linear_scan(*p_BTP.chunk(2, 2), state)
        return h_BTH, h_BTH[:, -1]


def positive(x: Tensor) -> Tensor:
    """The papers' g: x + 0.5 where x >= 0, else sigmoid(x)."""
    return torch.where(x >= 0, x + 0.5, torch.sigmoid(x))
