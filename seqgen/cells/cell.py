"""The contracts of cells: a layer over time, and a cell written as the equations of one step that the engine runs.

Dimension letters: B batch, T steps, I cell input, H cell output, P projection.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.engine.plan_runner import step_by_step, traced_step
from seqgen.engine.torch_compat import first_parameter
from seqgen.engine.tracer import traced_product
from seqgen.protocols import State


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
        assert like is not None, "a cell without parameters creates its own state"
        return like.new_zeros(batch_size, self.hidden_size)


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
    """

    def __init__(self, in_size: int, out_size: int, *, bias: bool = False) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_size)
        self.weight = nn.Parameter(torch.empty(out_size, in_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_size).uniform_(-bound, bound)) if bias else None

    def forward(self, h_BI: Tensor) -> Tensor:
        """Return ``h W' (+ b)``, (B, out_size)."""
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
    compares them with the steps.

    Attributes:
        engine: the way steps run over time, see ``Engine``.
    """

    engine: Engine = "fused"

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return the projection of the input that ``step`` reads, (B, T, P) for any P; by default the input itself.

        It must be pointwise in time: the two leading dimensions may be any.
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
        """Append the random numbers of all steps to the projection; by default none.

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
