"""Cells written as the equations of one step; how a step runs over time is core's business."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.cells.cell import Cell
from seqgen.protocols import State


class Recurrent(nn.Module):
    """A linear map of a per-step tensor (usually the state), named so that core may own its gradient.

    Args:
        in_size: features of the argument.
        out_size: features of the result.
        bias: whether a bias is added; the projection usually has one already.
    """

    def __init__(self, in_size: int, out_size: int, *, bias: bool = False) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_size)
        self.weight = nn.Parameter(torch.empty(out_size, in_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_size).uniform_(-bound, bound)) if bias else None

    def forward(self, h_BI: Tensor) -> Tensor:
        """``h W' (+ b)``, (B, out_size)."""
        return functional.linear(h_BI, self.weight, self.bias)


class StepCell(Cell):
    """A cell given by ``project`` and ``step``.

    ``project`` sees all steps at once and no state, so its cost is one matrix product for the whole sequence, and in
    the first layer a table with a row a symbol. ``step`` sees one step.
    """

    def project(self, x_BTI: Tensor) -> Tensor:
        """What a step needs of its input, pointwise in time.

        Returns:
            (B, T, P), for any P.
        """
        raise NotImplementedError

    def step(self, p_BP: Tensor, state: State) -> tuple[Tensor, State]:
        """The equations of one step.

        Args:
            p_BP: one step of what ``project`` gave.
            state: the state before this step; never modified.

        Returns:
            The output (B, H) and the state after this step.
        """
        raise NotImplementedError

    def scan(self, p_BTP: Tensor, state: State) -> tuple[Tensor, State]:
        """Run ``step`` over time.

        Returns:
            The outputs (B, T, H) and the last state.
        """
        outputs = []
        for p_BP in p_BTP.unbind(1):
            y_BH, state = self.step(p_BP, state)
            outputs.append(y_BH)
        return torch.stack(outputs, 1), state

    def forward(self, x_BTI: Tensor, state: State) -> tuple[Tensor, State]:
        """Project all steps at once, then run over time."""
        return self.scan(self.project(x_BTI), state)
