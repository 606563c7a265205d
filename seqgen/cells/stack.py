"""Stacks of layers, and the dropout between them, with a mask that is fast to sample on the CPU.

Source of dropout: Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.cells.cell import Cell, StepCell
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


_LEVELS = 1 << 16


class Dropout(nn.Module):
    """A layer that sets a share of the features to 0 while training and scales the others up.

    On the CPU a mask takes 16 random bits a feature and a third of torch's time; the share is exact to 1 / 65,536.

    Args:
        share: of the features that are dropped, from 0 to less than 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def mask(self, x_TBH: Tensor) -> Tensor | None:
        """Return a mask to multiply the features with; None where none are dropped.

        It is sampled time first, as the layers compute, so that all engines sample the same one.
        """
        return dropout_mask(x_TBH, self.share) if self.training and self.share else None

    def forward(self, x_BTH: Tensor) -> Tensor:
        """Return the features times the mask."""
        x_TBH = x_BTH.transpose(0, 1)
        mask_TBH = self.mask(x_TBH)
        return x_BTH if mask_TBH is None else (x_TBH * mask_TBH).transpose(0, 1)


def dropout_mask(like: Tensor, share: float) -> Tensor:
    """Return a mask of the shape, dtype and device of a tensor: 0 with probability ``share``, else 1 / (1 - share)."""
    if like.device.type != "cpu":
        return functional.dropout(torch.ones_like(like), share)
    dropped = min(round(share * _LEVELS), _LEVELS - 1)
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64).random_(-(2**63), 2**63 - 1)
    kept = words.view(torch.int16)[: like.numel()].view(like.shape) >= dropped - _LEVELS // 2
    return kept.to(like.dtype).mul_(_LEVELS / (_LEVELS - dropped))
