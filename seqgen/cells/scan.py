"""Running a step over time by its recording: made when it is first needed, checked, and given up if it differs.

Dimension letters: T steps, B batch, P projection, H output.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn

from seqgen.cells.cell import list_leaves, map_state
from seqgen.cells.chunks import CHUNK, Chunks
from seqgen.cells.loops import Loops
from seqgen.cells.plan import Plan
from seqgen.cells.record import CannotRecord, Step, record
from seqgen.protocols import State

Runner = Loops | Chunks
_CHECKED_STEPS = 3


def step_by_step(step: Step, p_TBP: Tensor, state: State) -> tuple[Tensor, State]:
    """Run a step over time, one step after another.

    Returns:
        The outputs (T, B, H) and the last state.
    """
    outputs = []
    for p_BP in p_TBP.unbind(0):
        y_BH, state = step(p_BP, state)
        outputs.append(y_BH)
    return torch.stack(outputs), state


class Recorded:
    """The recordings of a module's step, one for each size of batch.

    Attributes:
        problem: why the step cannot be recorded; "" as long as it can.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._found: dict[Any, tuple[Plan, Runner]] = {}
        self._last: tuple[Any, Step, Tensor, State] | None = None

    def scan(self, module: nn.Module, step: Step, p_TBP: Tensor, state: State) -> tuple[Tensor, State]:
        """What ``step_by_step`` gives, with a gradient."""
        found = None if self.problem else self._find(module, step, p_TBP, state)
        return step_by_step(step, p_TBP, state) if found is None else _run(*found, p_TBP, state)

    def compile(self) -> None:
        """From now on compute batches of the size that was last seen in compiled chunks."""
        if self._last is not None and not self.problem:
            size, step, p_TBP, state = self._last
            plan, loops = self._found[size]
            if isinstance(loops, Loops):
                chunks = Chunks(plan, loops)
                _check(plan, chunks, step, torch.cat([p_TBP] * -(-CHUNK // len(p_TBP)))[:CHUNK], state)
                self._found[size] = plan, chunks

    @property
    def compiled(self) -> bool:
        """Whether there is a size that is computed in compiled chunks."""
        return any(isinstance(runner, Chunks) for _, runner in self._found.values())

    def _find(self, module: nn.Module, step: Step, p_TBP: Tensor, state: State) -> tuple[Plan, Runner] | None:
        size = _size(module, p_TBP)
        if size not in self._found:
            try:
                plan = Plan(record(step, module, p_TBP[0], state))
                loops = Loops(plan)
                if not self._found:
                    _check(plan, loops, step, p_TBP[:_CHECKED_STEPS], state)
            except (CannotRecord, RuntimeError, NotImplementedError, TypeError) as error:
                self.problem = " ".join(str(error).split())[:200] or type(error).__name__
                return None
            self._found[size] = plan, loops
            self._last = size, step, p_TBP.detach(), map_state(torch.Tensor.detach, state)
        return self._found[size]


def _size(module: nn.Module, p_TBP: Tensor) -> tuple[Any, ...]:
    return module.training, p_TBP.shape[1:], p_TBP.dtype, p_TBP.device


_recorded: weakref.WeakKeyDictionary[nn.Module, Recorded] = weakref.WeakKeyDictionary()


def recorded(module: nn.Module) -> Recorded:
    """The recordings of a module; a copy of it starts with none."""
    return _recorded.setdefault(module, Recorded())


def _run(plan: Plan, runner: Runner, p_TBP: Tensor, state: State) -> tuple[Tensor, State]:
    """Run a plan over time."""
    parameters = [
        *(tensor for product in plan.recording.products for tensor in (product.weight, product.bias)),
        *(parameter for parameter, _, _ in plan.sums),
    ]
    y_TBH, *after = _OverTime.apply(plan, runner, p_TBP.contiguous(), *list_leaves(state), *parameters)  # type: ignore[no-untyped-call]
    ends = iter(after)
    return y_TBH, map_state(lambda _: next(ends), state)


class _OverTime(torch.autograd.Function):
    """All steps, as one operation of autograd."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, runner: Runner, p_TBP: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.plan, ctx.runner, ctx.first = plan, runner, tensors[: len(plan.states)]
        y_TBH, ends, ctx.kept = runner.forward(p_TBP, ctx.first)
        # Detached, since an output that the context holds would hold the context.
        outputs = y_TBH.detach(), *(end.detach() for end in ends)
        ctx.save_for_backward(outputs[0])  # raises if somebody changes the outputs, which are states too
        ctx.set_materialize_grads(False)
        ctx.outputs = [(output.shape, output.dtype, output.device) for output in outputs]
        ctx.mark_non_differentiable(*(output for output in outputs if not output.is_floating_point()))
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        plan, runner, recording = ctx.plan, ctx.runner, ctx.plan.recording
        (y_TBH,) = ctx.saved_tensors
        dy_TBH, *d_ends = (
            torch.zeros(shape, dtype=dtype, device=device) if gradient is None else gradient
            for gradient, (shape, dtype, device) in zip(given, ctx.outputs, strict=True)
        )
        d_states, collected, sums = runner.backward(dy_TBH, d_ends, ctx.kept)
        over_time = dict(zip(plan.collected, collected, strict=True))
        gradients: list[Tensor | None] = [over_time.get(recording.d_input), *d_states]
        for product in recording.products:
            if product.gradient is None:
                gradients += [None, None]
                continue
            dz_TBO = over_time[product.gradient]
            if plan.is_shifted(product.argument):
                gradients.append(_d_weight(dz_TBO, ctx.first[plan.states.index(product.argument)], y_TBH))
            else:
                arguments_TBI = runner.over_time(ctx.kept, product.argument)
                gradients.append(dz_TBO.flatten(0, -2).t() @ arguments_TBI.flatten(0, -2))
            gradients.append(None if product.bias is None else dz_TBO.flatten(0, -2).sum(0))
        for (parameter, _, late), total in zip(plan.sums, sums, strict=True):
            gradients.append((total.sum(0) if late else total).view_as(parameter))
        return None, None, *gradients


def _d_weight(dz_TBO: Tensor, first_BH: Tensor, y_TBH: Tensor) -> Tensor:
    """The gradient of a ``Recurrent``'s weight whose argument at each step is the output of the one before."""
    d_weight_OH = dz_TBO[0].t() @ first_BH
    return d_weight_OH.addmm_(dz_TBO[1:].flatten(0, 1).t(), y_TBH[:-1].flatten(0, 1))


def _check(plan: Plan, runner: Runner, step: Step, p_TBP: Tensor, state: State) -> None:
    """Compare a recording with what it was made from."""
    results: list[list[Tensor | None]] = []
    for recorded_form in (False, True):
        with torch.enable_grad():
            p = p_TBP.detach().requires_grad_()
            before = map_state(lambda leaf: leaf.detach().requires_grad_(leaf.is_floating_point()), state)
            y_TBH, after = _run(plan, runner, p, before) if recorded_form else step_by_step(step, p, before)
            outputs = [leaf for leaf in (y_TBH, *list_leaves(after)) if leaf.requires_grad]
            total = sum((leaf * torch.linspace(-1, 1, leaf.numel()).to(leaf).view_as(leaf)).sum() for leaf in outputs)
            assert isinstance(total, Tensor)
            parameters = [p, *(c for c in plan.recording.constants.values() if c.requires_grad)]
            wanted = [*parameters, *(leaf for leaf in list_leaves(before) if leaf.requires_grad)]
            results.append([*outputs, *torch.autograd.grad(total, wanted, allow_unused=True)])
    for expected, found in zip(*results, strict=True):
        expected, found = (torch.zeros(1) if value is None else value for value in (expected, found))
        limit = torch.finfo(expected.dtype).eps ** 0.5 * expected.abs().max()
        if not (expected - found).abs().max() <= limit:
            raise CannotRecord("its recording gives other numbers")
