"""Layers: the contracts of cells, over time or as the equations of one step; dropout between layers; stacks of cells.

Source of dropout: Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.

Dimension letters: B batch, T steps, I cell input, H cell output, P projection.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.engine.plan_runner import step_by_step, traced_step
from seqgen.engine.torch_compat import children, first_parameter, has_hooks
from seqgen.engine.tracer import traced_product
from seqgen.protocols import State
from seqgen.states import output_and_state


class Cell(nn.Module):
    """A layer of the model: a function of (input, state) to (output, state).

    Subclass it to mix time freely; subclass :class:`seqgen.StepCell` to write only the equations of one step.

    Args:
        input_size: I, features of the input.
        hidden_size: the size of the state, and of the output unless ``output_size`` is set to another.
    """

    output_size: int

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = hidden_size

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step: a nested tuple, list or dict of tensors, every leaf (B, ...)."""
        raise NotImplementedError(f"{type(self).__name__} has no method initial_state")

    def forward(self, x_BTI: Tensor, state: State) -> tuple[Tensor, State]:
        """Run over time.

        Args:
            x_BTI: the inputs; T is 1 when sampling.
            state: the state before the first of them; never modified.

        Returns:
            The outputs (B, T, H) and the state after the last step.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method forward")

    def zeros(self, batch_size: int) -> Tensor:
        """Return zeros (B, H) of the dtype and device of this module, for ``initial_state``."""
        like = first_parameter(self)
        assert like is not None, (
            "zeros needs a parameter, whose dtype and device it takes: this cell has none, so create the state yourself"
        )
        return like.new_zeros(batch_size, self.hidden_size)


# -- cells of steps

Engine = Literal["fused", "scan", "compiled", "eager"]
"""Ways to run the steps of a cell over time.

- ``fused``: the cell's own form for whole sequences; without one, as ``scan``.
- ``scan``: the step is traced once, and its operations and those of its derivative run in plain loops; a step that
  cannot be traced runs as ``eager``.
- ``compiled``: as ``scan``, in chunks fused by torch's compiler once ``compile_steps`` has compiled them.
- ``eager``: step after step under autograd.
"""


_HALF = (torch.bfloat16, torch.float16)


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in _HALF else tensor


class Recurrent(nn.Module):
    """A linear map of a per-step tensor, usually the state; the engine computes its gradient once for all steps.

    Args:
        in_size: features of the argument.
        out_size: features of the result.
        bias: whether to add a bias; the projection usually has one already.

    Attributes:
        mask_BI: multiplies the argument, in the steps of a cell with recurrent dropout; None: nothing does.
    """

    mask_BI: Tensor | None = None

    def __init__(self, in_size: int, out_size: int, *, bias: bool = False) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_size)
        self.weight = nn.Parameter(torch.empty(out_size, in_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_size).uniform_(-bound, bound)) if bias else None

    def forward(self, h_BI: Tensor) -> Tensor:
        """Return ``h W' (+ b)``, (B, out_size)."""
        if self.mask_BI is not None:
            h_BI = h_BI * self.mask_BI
        traced = traced_product(self.weight, self.bias, h_BI)
        return functional.linear(h_BI, self.weight, self.bias) if traced is None else traced


class StepCell(Cell):
    """A cell defined by ``step``, and by ``project`` unless a step reads the input itself.

    ``project`` sees all steps at once and no state, so its cost is one matrix product for the whole sequence, and in
    the first layer a table with a row a symbol. ``step`` sees one step. A cell needs no more. Both are functions of
    their arguments, of the parameters and buffers, and of whether the cell is training: they are traced once, so a
    value that changes from batch to batch belongs in a buffer.

    Three methods are optional. ``noise`` samples all that is random in the steps of a sequence. ``fused`` and
    ``parallel`` are faster forms for whole sequences, from the input or from its projection; the conformance kit
    compares them with the steps, in training mode too: there ``fused`` samples the random numbers of ``noise``.

    Attributes:
        engine: the way steps run over time, see ``Engine``.
        scaled: whether a part of the state is the scale of another, so that their features cannot be held apart.
    """

    engine: Engine = "fused"
    scaled: bool = False

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return the projection of the input that ``step`` reads, (B, T, P) for any P; by default the input itself.

        It must be pointwise in time: the two leading dimensions may be any. Nothing in it may be random, since the
        first layer projects each symbol once for all its occurrences; see ``noise``.
        """
        return x_BTI

    def step(self, p_BP: Tensor, state: State) -> tuple[Tensor, State]:
        """Compute one step.

        Args:
            p_BP: one step of the projection.
            state: the state before this step; never modified.

        Returns:
            The output (B, H) and the state after this step.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method step")

    def noise(self, p_BTP: Tensor) -> Tensor:
        """Append the random numbers of all steps to the projection, which is never modified; by default none.

        ``step`` must not sample random numbers itself. In evaluation mode nothing may be random.
        """
        return p_BTP

    def fused(self, x_BTI: Tensor, state: State) -> tuple[Tensor, State]:
        """Return what ``forward`` returns, by a kernel for whole sequences (T > 1); used if ``fuses`` returns True."""
        raise NotImplementedError(f"{type(self).__name__} has no method fused")

    def fuses(self) -> bool:
        """Return whether ``fused`` supports the options of this cell; by default, whether it is defined."""
        return type(self).fused is not StepCell.fused

    def parallel(self, p_BTP: Tensor, state: State) -> tuple[Tensor, State]:
        """Return what the steps return, from the projection of a whole sequence (T > 1); see ``linear_scan``."""
        raise NotImplementedError(f"{type(self).__name__} has no method parallel")

    def scan(self, p_BTP: Tensor, state: State) -> tuple[Tensor, State]:
        """Run over time from the projection.

        Returns:
            The outputs (B, T, H) and the last state.
        """
        if torch.is_autocast_enabled(p_BTP.device.type):
            # 16-bit floats are for products over whole sequences: in a state their rounding would add up.
            with torch.autocast(p_BTP.device.type, enabled=False):
                return self.scan(_as_float32(p_BTP), state)
        p_BTP = self.noise(p_BTP)
        if p_BTP.shape[1] > 1 and self.uses_parallel():
            return self.parallel(p_BTP, state)
        # Time first in memory: a step reads contiguous rows.
        p_TBP = p_BTP.transpose(0, 1)
        if self.engine == "eager" or not torch.is_grad_enabled():
            y_TBH, state = step_by_step(self.step, p_TBP, state)
        else:
            compiled = self.engine == "compiled"
            y_TBH, state = traced_step(self).run(self, self.step, p_TBP, state, compiled=compiled)
        return y_TBH.transpose(0, 1), state

    def uses_fused(self) -> bool:
        """Return whether whole sequences run by ``fused``."""
        return self.engine == "fused" and self.fuses()

    def uses_parallel(self) -> bool:
        """Return whether whole sequences run by ``parallel``."""
        return self.engine == "fused" and type(self).parallel is not StepCell.parallel

    def forward(self, x_BTI: Tensor, state: State) -> tuple[Tensor, State]:
        """Run over time from the input."""
        if x_BTI.shape[1] > 1 and self.uses_fused():
            if x_BTI.is_cuda and torch.is_autocast_enabled("cuda"):
                # There cuDNN's layers compute in float16, whichever 16-bit type is set.
                with torch.autocast("cuda", enabled=False):
                    return self.fused(_as_float32(x_BTI), state)
            return self.fused(x_BTI, state)
        # Time first: for a projection, pointwise in time, it makes no difference.
        return self.scan(self.project(x_BTI.transpose(0, 1)).transpose(0, 1), state)


# -- dropout and stacks

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
        return time_mask(x_TBH, self.share) if self.training and self.share else None

    def forward(self, x_BTH: Tensor) -> Tensor:
        """Return the features times the mask."""
        x_TBH = x_BTH.transpose(0, 1)
        mask_TBH = self.mask(x_TBH)
        return x_BTH if mask_TBH is None else (x_TBH * mask_TBH).transpose(0, 1)


_n_drawn: ContextVar[int | None] = ContextVar("steps for which masks are drawn", default=None)


@contextlib.contextmanager
def drawing_masks(n_steps: int | None) -> Iterator[None]:
    """Draw masks over time for the first steps only within the context; None: for all.

    An engine may pad batches further than others. Masks for the padding would use up random numbers, so that all later
    ones would differ.
    """
    token = _n_drawn.set(n_steps)
    try:
        yield
    finally:
        _n_drawn.reset(token)


def time_mask(like_TBH: Tensor, share: float) -> Tensor:
    """Return the result of ``dropout_mask`` for the steps of ``drawing_masks``, and ones after them."""
    n_steps = _n_drawn.get()
    if n_steps is None or n_steps >= len(like_TBH):
        return dropout_mask(like_TBH, share)
    return torch.cat((dropout_mask(like_TBH[:n_steps], share), torch.ones_like(like_TBH[n_steps:])))


def dropout_mask(like: Tensor, share: float) -> Tensor:
    """Return a mask of the shape, dtype and device of a tensor: 0 with probability ``share``, else 1 / (1 - share)."""
    if like.device.type != "cpu":
        return functional.dropout(torch.ones_like(like), share)
    dropped = min(round(share * _LEVELS), _LEVELS - 1)
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64).random_(-(2**63), 2**63 - 1)
    kept = words.view(torch.int16)[: like.numel()].view(like.shape) >= dropped - _LEVELS // 2
    return kept.to(like.dtype).mul_(_LEVELS / (_LEVELS - dropped))


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
