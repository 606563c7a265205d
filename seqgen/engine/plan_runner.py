"""Running a step over time by its recording: made when it is first needed, checked, and given up if it differs.

Dimension letters: T steps, B batch, P projection, H output.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seqgen.engine.autograd_utils import as_usual, refuse_twice
from seqgen.engine.compiled_runner import Chunks
from seqgen.engine.isolated import aside
from seqgen.engine.loop_runner import Kept, Loops
from seqgen.engine.plan import Plan
from seqgen.engine.single_step import Once
from seqgen.engine.torch_compat import list_tensors
from seqgen.engine.tracer import Step, record
from seqgen.engine.untraceable import CannotRecord, ReplacesBuffer
from seqgen.errors import is_out_of_memory
from seqgen.protocols import State
from seqgen.states import list_leaves, map_state, output_and_state

Runner = Loops | Once | Chunks


def step_by_step(step: Step, p_TBP: Tensor, state: State) -> tuple[Tensor, State]:
    """Run a step over time, one step after another.

    Returns:
        The outputs (T, B, H) and the last state.
    """
    outputs = []
    for p_BP in p_TBP.unbind(0):
        y_BH, state = output_and_state(step(p_BP, state), "step")
        outputs.append(y_BH)
    return torch.stack(outputs), state


class Recorded:
    """The recordings of a module's step, one for each size of batch; good for the tensors that it holds now.

    Args:
        once: whether it is no step over time but something that is done once.

    Attributes:
        problem: why the step cannot be recorded; "" as long as it can.
    """

    def __init__(self, *, once: bool = False) -> None:
        self._make: type[Loops | Once] = Once if once else Loops
        self._read: list[Tensor] = []
        self._known: list[tuple[int, bool]] = []
        self._replaces = False
        self._forget()

    def _forget(self) -> None:
        self.problem = ""
        self._found: dict[Any, tuple[Plan, Loops | Once]] = {}
        self._chunks: dict[Any, Chunks] = {}
        self._last: tuple[Any, Tensor, State] | None = None

    def scan(
        self, module: nn.Module, step: Step, p_TBP: Tensor, state: State, *, compiled: bool
    ) -> tuple[Tensor, State]:
        """What ``step_by_step`` gives, with a gradient."""
        found = self.find(module, step, p_TBP, state, compiled=compiled)
        return step_by_step(step, p_TBP, state) if found is None else _run(*found, p_TBP, state)

    def compile(self, step: Step) -> None:
        """Make compiled chunks ready for batches of the size that was last seen."""
        if self._last is not None and not self.problem:
            size, p_TBP, state = self._last
            plan, loops = self._found[size]
            if size not in self._chunks:
                assert isinstance(loops, Loops)
                chunks = Chunks(plan, loops, p_TBP[0], list_leaves(state))
                _check(plan, chunks, step, p_TBP, state)
                self._chunks[size] = chunks

    @property
    def compiled(self) -> bool:
        """Whether there are compiled chunks for any size."""
        return bool(self._chunks)

    def find(
        self, module: nn.Module, step: Step, p_TBP: Tensor, state: State, *, compiled: bool
    ) -> tuple[Plan, Runner] | None:
        """The recording for batches of this size, made when it is first needed; None where there can be none.

        Args:
            module: that the step belongs to.
            step: of it.
            p_TBP: what is to be run.
            state: before the first step.
            compiled: whether to run by compiled chunks, if there are any for this size.
        """
        read = list_tensors(module)
        known = [(id(tensor), tensor.requires_grad) for tensor in read]
        if known != self._known and not self._replaces:
            self._forget()  # it reads other tensors than those that were recorded
            self._read, self._known = read, known  # as long as they are held, no other gets their ids
        if self.problem:
            return None
        size = _size(module, p_TBP)
        if size not in self._found:
            try:
                with torch.inference_mode(False), aside(module):
                    p_TBP, state = as_usual(p_TBP), map_state(as_usual, state)
                    plan = Plan(record(step, module, p_TBP[0], state))
                    loops = self._make(plan)
                    _check(plan, loops, step, p_TBP, state)
            except (CannotRecord, RuntimeError, NotImplementedError, TypeError) as error:
                if is_out_of_memory(error):
                    raise
                self.problem, self._replaces = _reason(error), isinstance(error, ReplacesBuffer)
                return None
            self._found[size] = plan, loops
            self._last = size, p_TBP[: Chunks.CHECKED_STEPS].clone(), state  # all of it would be kept for long
        plan, loops = self._found[size]
        return plan, (self._chunks.get(size, loops) if compiled else loops)


def _reason(error: Exception) -> str:
    """Why a step cannot be recorded."""
    said = " ".join(str(error).split())[:200]
    if "in-place operation" in said:
        return f"it changes its input or its state in place, where a new tensor would do ({said})"
    return said or type(error).__name__


def _size(module: nn.Module, p_TBP: Tensor) -> tuple[Any, ...]:
    return module.training, p_TBP.shape[1:], p_TBP.dtype, p_TBP.device


def _lengthen(p_TBP: Tensor, n_steps: int) -> Tensor:
    """So many steps, by repeating what there is: of a single one, not all differences show."""
    return torch.cat([p_TBP] * -(-n_steps // len(p_TBP)))[:n_steps]


_recorded: weakref.WeakKeyDictionary[nn.Module, dict[str, Recorded]] = weakref.WeakKeyDictionary()


def recorded(module: nn.Module, what: Literal["step", "project"] = "step") -> Recorded:
    """The recordings of a module's step, or of its projection; a copy of it starts with none."""
    of_module = _recorded.get(module)
    if of_module is None:
        of_module = _recorded[module] = {}
    if what not in of_module:
        of_module[what] = Recorded(once=what == "project")
    return of_module[what]


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
        ctx.plan, ctx.runner = plan, runner
        y_TBH, ends, ctx.kept = runner.forward(p_TBP, tensors[: len(plan.states)])
        # Detached, since an output that the context holds would hold the context.
        outputs = y_TBH.detach(), *(end.detach() for end in ends)
        # Raises if somebody changes the outputs, which are states too, or the weights, which are read again.
        ctx.save_for_backward(outputs[0], *(tensor for tensor in tensors[len(plan.states) :] if tensor is not None))
        ctx.set_materialize_grads(False)
        ctx.outputs = [(output.shape, output.dtype, output.device) for output in outputs]
        ctx.mark_non_differentiable(*(output for output in outputs if not output.is_floating_point()))
        return outputs

    @staticmethod
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        refuse_twice()
        y_TBH, *_ = ctx.saved_tensors
        dy_TBH, *d_ends = (
            torch.zeros(shape, dtype=dtype, device=device) if gradient is None else gradient
            for gradient, (shape, dtype, device) in zip(given, ctx.outputs, strict=True)
        )
        with torch.autocast(y_TBH.device.type, enabled=False):
            d_input, d_states, of_parameters = run_back(ctx.plan, ctx.runner, ctx.kept, dy_TBH, d_ends)
        return None, None, d_input, *d_states, *(gradient for _, gradient in of_parameters)


def run_back(
    plan: Plan,
    runner: Runner,
    kept: Kept,
    dy_TBH: Tensor,
    d_ends: Sequence[Tensor],
) -> tuple[Tensor | None, list[Tensor], list[tuple[nn.Parameter | None, Tensor | None]]]:
    """The gradients of all that a run over time saw.

    Args:
        plan: of the step.
        runner: that ran it forward.
        kept: what the runner kept.
        dy_TBH: the gradient of the outputs.
        d_ends: those of the leaves of the last state.

    Returns:
        The gradients of the projection, of the leaves of the state before the first step, and of the parameters in the
        order in which ``_run`` hands them over.
    """
    d_states, collected, sums = runner.backward(dy_TBH, d_ends, kept)
    over_time = dict(zip(plan.collected, collected, strict=True))
    of_parameters: list[tuple[nn.Parameter | None, Tensor | None]] = []
    for product in plan.recording.products:
        if product.gradient is None:
            of_parameters += [(product.weight, None), (product.bias, None)]
            continue
        dz_TBO = over_time[product.gradient]
        argument_TBI = runner.over_time(kept, product.argument)
        of_parameters.append((product.weight, dz_TBO.flatten(0, -2).t() @ argument_TBI.flatten(0, -2)))
        of_parameters.append((product.bias, None if product.bias is None else dz_TBO.flatten(0, -2).sum(0)))
    for (parameter, _, late), total in zip(plan.sums, sums, strict=True):
        of_parameters.append((parameter, (total.sum(0) if late else total).view_as(parameter)))
    d_input = None if plan.recording.d_input is None else over_time[plan.recording.d_input]
    return d_input, d_states, of_parameters


def _check(plan: Plan, runner: Runner, step: Step, p_TBP: Tensor, state: State) -> None:
    """Compare a recording with what it was made from."""
    results: list[list[Tensor | None]] = []
    p_TBP = _lengthen(p_TBP, runner.CHECKED_STEPS)
    for recorded_form in (False, True):
        with torch.enable_grad():
            p = p_TBP.detach().requires_grad_()
            before = map_state(lambda leaf: leaf.detach().requires_grad_(leaf.is_floating_point()), state)
            y_TBH, after = _run(plan, runner, p, before) if recorded_form else step_by_step(step, p, before)
            outputs = [leaf for leaf in (y_TBH, *list_leaves(after)) if leaf.is_floating_point()]
            derived = [leaf for leaf in outputs if leaf.requires_grad]
            total = sum((leaf * torch.linspace(-1, 1, leaf.numel()).to(leaf).view_as(leaf)).sum() for leaf in derived)
            assert isinstance(total, Tensor)
            parameters = [p, *(c for c in plan.recording.constants.values() if c.requires_grad)]
            wanted = [*parameters, *(leaf for leaf in list_leaves(before) if leaf.requires_grad)]
            results.append([*outputs, *torch.autograd.grad(total, wanted, allow_unused=True)])
    for expected, found in zip(*results, strict=True):
        expected, found = (p_TBP.new_zeros(()) if value is None else value for value in (expected, found))
        limit = torch.finfo(expected.dtype).eps ** 0.5 * expected.abs().max()
        if not (expected - found).abs().max() <= limit:
            raise CannotRecord("its recording gives other numbers")
    if isinstance(runner, Loops) and not runner.same_over_its_input(p_TBP, list_leaves(state)):
        raise CannotRecord("its recording gives other numbers where it writes over its input")
