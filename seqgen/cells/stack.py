"""Stacks of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from seqgen.cells.cell import Cell
from seqgen.cells.dropout import Dropout
from seqgen.cells.step import StepCell
from seqgen.engine.torch_compat import children, has_hooks
from seqgen.protocols import State
from seqgen.states import output_and_state


class Stack(Cell):
    """A cell made of cells: the output of each is the input of the next; the state is the tuple of their states.

    Args:
        cells: the layers, at least one, sizes fitting.
        dropout: probability of dropping a feature between two layers while training.
    """

    def __init__(self, cells: Sequence[Cell], *, dropout: float = 0.0) -> None:
        super().__init__(cells[0].input_size, cells[0].hidden_size)
        self.cells = nn.ModuleList(cells)
        self.dropout = Dropout(dropout)
        self.output_size = cells[-1].output_size

    @property
    def layers(self) -> list[Cell]:
        """The cells from the input to the output."""
        return cast("list[Cell]", children(self.cells))

    def pieces(self) -> list[nn.Module]:
        """Return the cells, and the dropout between each two of them, in the order in which features pass them."""
        first, *others = self.layers
        return [first, *(piece for cell in others for piece in (self.dropout, cell))]

    def initial_state(self, batch_size: int) -> State:
        """Return the states of the layers from the input to the output."""
        return tuple(cell.initial_state(batch_size) for cell in self.layers)

    def steps(self) -> bool:
        """Return whether the first layer is a step cell, whose input may be passed in projected by ``project``."""
        return isinstance(self.layers[0], StepCell)

    def scans(self) -> bool:
        """Return whether whole sequences too may be passed in projected: no fused form and no hook reads the input."""
        first = self.layers[0]
        return isinstance(first, StepCell) and not first.uses_fused() and not has_hooks(first)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return the projection of the first layer, a step cell."""
        first = self.layers[0]
        assert isinstance(first, StepCell)
        return first.project(x_BTI)

    def forward(self, x_BTI: Tensor, state: State, *, projected: bool = False) -> tuple[Tensor, State]:
        """Run over time, layer by layer.

        Args:
            x_BTI: the input, or with ``projected`` its projection (B, T, P).
            state: the states of the layers; never modified.
            projected: whether the input is projected already.

        Returns:
            The outputs of the last layer (B, T, H), and the last states of the layers.
        """
        afters: list[State] = []
        pieces = self.pieces()
        n_layers = len(pieces) // 2 + 1
        if len(state) != n_layers:
            raise ValueError(f"a stack of {n_layers} layers needs a state of as many parts, not {len(state)}")
        for piece in pieces:
            if not isinstance(piece, Cell):
                x_BTI = piece(x_BTI)
                continue
            before = state[len(afters)]
            if projected and not afters:
                assert isinstance(piece, StepCell)
                x_BTI, after = piece.scan(x_BTI, before)
            else:
                x_BTI, after = output_and_state(piece(x_BTI, before), "forward")
            afters.append(after)
        return x_BTI, tuple(afters)
