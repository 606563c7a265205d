"""Running a step over time by its trace: traced when first needed, verified, and replaced by eager steps if it differs.

Dimension letters: T steps, B batch, P projection, H output.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seqgen.engine.autograd_utils import as_normal_tensor, refuse_double_backward
from seqgen.engine.compiled_runner import CompiledRunner
from seqgen.engine.loop_runner import LoopRunner, Saved, SingleStep
from seqgen.engine.plan import Plan
from seqgen.engine.torch_compat import list_tensors, own_buffers, set_buffer
from seqgen.engine.tracer import ReplacesBuffer, Step, Untraceable, trace_step
from seqgen.errors import is_out_of_memory
from seqgen.protocols import State
from seqgen.states import list_leaves, map_state, output_and_state

_ROUNDINGS = 32  # of the largest number, by which any number of a step and its derivative may be off

Runner = LoopRunner | SingleStep | CompiledRunner


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


class TracedStep:
    """The plans and runners of a module's step, one for each batch size; valid for the tensors that it holds now.

    Args:
        single: whether it runs once instead of over time.

    Attributes:
        problem: why the step cannot be traced; "" as long as it can.
    """

    def __init__(self, *, single: bool = False) -> None:
        self._runner_type: type[LoopRunner | SingleStep] = SingleStep if single else LoopRunner
        self._tensors: list[Tensor] = []
        self._parts: list[nn.Module] = []
        self._tensor_keys: list[tuple[int, bool]] = []
        self._replaces = False
        self._forget()

    def _forget(self) -> None:
        self.problem = ""
        self._runners: dict[Any, tuple[Plan, LoopRunner | SingleStep]] = {}
        self._compiled: dict[Any, CompiledRunner] = {}
        self._last: tuple[Any, Tensor, State] | None = None

    def run(
        self, module: nn.Module, step: Step, p_TBP: Tensor, state: State, *, compiled: bool
    ) -> tuple[Tensor, State]:
        """Return what ``step_by_step`` returns, with a gradient."""
        found = self.find_runner(module, step, p_TBP, state, compiled=compiled)
        return step_by_step(step, p_TBP, state) if found is None else _scan(*found, p_TBP, state)

    def compile(self, step: Step) -> None:
        """Compile chunks for batches of the size that was last seen."""
        if self._last is not None and not self.problem:
            key, p_TBP, state = self._last
            plan, loops = self._runners[key]
            if key not in self._compiled:
                assert isinstance(loops, LoopRunner)
                runner = CompiledRunner(plan, loops, p_TBP[0], list_leaves(state))
                _verify(plan, runner, step, p_TBP, state)
                self._compiled[key] = runner

    @property
    def n_operations(self) -> int:
        """The operations of the step that was last traced, forward and backward; 0 if none was."""
        if self._last is None or self.problem:
            return 0
        plan, _ = self._runners[self._last[0]]
        return len(plan.forward) + len(plan.backward)

    @property
    def compiled(self) -> bool:
        """Return whether there are compiled chunks for any size."""
        return bool(self._compiled)

    def find_runner(
        self, module: nn.Module, step: Step, p_TBP: Tensor, state: State, *, compiled: bool
    ) -> tuple[Plan, Runner] | None:
        """Return plan and runner for batches of this size, traced when first needed; None if that is impossible.

        Args:
            module: that the step belongs to.
            step: of it.
            p_TBP: the projection to run over.
            state: before the first step.
            compiled: whether to run in compiled chunks, if there are any for this size.
        """
        tensors = list_tensors(module)
        keys = [(id(tensor), tensor.requires_grad) for tensor in tensors]
        if keys != self._tensor_keys and not self._replaces:
            self._forget()  # it reads other tensors than those that were traced
            self._tensors, self._tensor_keys = tensors, keys  # as long as they are held, no other gets their ids
            self._parts = [part for part in module.modules() if part is not module]  # which would live for ever
        if self.problem:
            return None
        training = module.training, *(part.training for part in self._parts)
        key = training, p_TBP.shape[1:], p_TBP.dtype, p_TBP.device
        if key not in self._runners:
            try:
                with torch.inference_mode(False), isolated(module):
                    p_TBP, state = as_normal_tensor(p_TBP), map_state(as_normal_tensor, state)
                    plan = Plan(trace_step(step, module, p_TBP[0], state))
                    loops = self._runner_type(plan)
                    _verify(plan, loops, step, p_TBP, state)
            except (Untraceable, RuntimeError, NotImplementedError, TypeError) as error:
                if is_out_of_memory(error):
                    raise
                self.problem, self._replaces = _reason(error), isinstance(error, ReplacesBuffer)
                return None
            self._runners[key] = plan, loops
            # Not all of it, which would be kept for long.
            self._last = key, p_TBP[: CompiledRunner.CHECKED_STEPS].clone(), state
        plan, loops = self._runners[key]
        return plan, (self._compiled.get(key, loops) if compiled else loops)


def _reason(error: Exception) -> str:
    """Return why a step cannot be traced, in a line."""
    message = " ".join(str(error).split())[:200]
    if "in-place operation" in message:
        return f"it changes its input or its state in place; return a new tensor instead ({message})"
    return message or type(error).__name__


_traced: weakref.WeakKeyDictionary[nn.Module, dict[str, TracedStep]] = weakref.WeakKeyDictionary()


def traced_step(module: nn.Module, method: Literal["step", "project"] = "step") -> TracedStep:
    """Return the traced step of a module, or its traced projection; a copy of a module starts with none."""
    of_module = _traced.get(module)
    if of_module is None:
        of_module = _traced[module] = {}
    if method not in of_module:
        of_module[method] = TracedStep(single=method == "project")
    return of_module[method]


def _scan(plan: Plan, runner: Runner, p_TBP: Tensor, state: State) -> tuple[Tensor, State]:
    """Run a plan over time under autograd."""
    parameters = [
        *(tensor for product in plan.trace.products for tensor in (product.weight, product.bias)),
        *(parameter for parameter, _, _ in plan.parameter_sums),
    ]
    y_TBH, *after = _Scan.apply(plan, runner, p_TBP.contiguous(), *list_leaves(state), *parameters)  # type: ignore[no-untyped-call]
    ends = iter(after)
    return y_TBH, map_state(lambda _: next(ends), state)


class _Scan(torch.autograd.Function):
    """All steps as one operation of autograd."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, runner: Runner, p_TBP: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.plan, ctx.runner = plan, runner
        y_TBH, ends, ctx.saved = runner.forward(p_TBP, tensors[: len(plan.states)])
        # Detached, since an output that the context holds would hold the context.
        outputs = y_TBH.detach(), *(end.detach() for end in ends)
        # Raises if somebody changes the outputs and states, which are saved values too, or what is read again.
        constants = [plan.trace.constants[name] for name in plan.read_again]
        ctx.save_for_backward(*outputs, *(constant for constant in constants if not constant.is_inference()))
        ctx.set_materialize_grads(False)
        ctx.outputs = [(output.shape, output.dtype, output.device) for output in outputs]
        ctx.mark_non_differentiable(*(output for output in outputs if not output.is_floating_point()))
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        refuse_double_backward()
        y_TBH, *_ = ctx.saved_tensors
        dy_TBH, *d_ends = (
            torch.zeros(shape, dtype=dtype, device=device) if gradient is None else gradient
            for gradient, (shape, dtype, device) in zip(gradients, ctx.outputs, strict=True)
        )
        with torch.autocast(y_TBH.device.type, enabled=False):
            d_input, d_states, of_parameters = run_backward(ctx.plan, ctx.runner, ctx.saved, dy_TBH, d_ends)
        return None, None, d_input, *d_states, *(gradient for _, gradient in of_parameters)


def run_backward(
    plan: Plan,
    runner: Runner,
    saved: Saved,
    dy_TBH: Tensor,
    d_ends: Sequence[Tensor],
) -> tuple[Tensor | None, list[Tensor], list[tuple[nn.Parameter | None, Tensor | None]]]:
    """Return the gradients of all inputs of a run over time.

    Args:
        plan: of the step.
        runner: that ran it forward.
        saved: what the runner saved.
        dy_TBH: the gradient of the outputs.
        d_ends: those of the leaves of the last state.

    Returns:
        The gradients of the projection, of the leaves of the state before the first step, and of the parameters in the
        order in which ``_scan`` passes them.
    """
    d_states, per_step, sums = runner.backward(dy_TBH, d_ends, saved)
    gradients = dict(zip(plan.per_step, per_step, strict=True))
    of_parameters: list[tuple[nn.Parameter | None, Tensor | None]] = []
    for product in plan.trace.products:
        if product.gradient is None:
            of_parameters += [(product.weight, None), (product.bias, None)]
            continue
        dz_TBO = gradients[product.gradient]
        argument_TBI = runner.values_over_time(saved, product.argument)
        of_parameters.append((product.weight, dz_TBO.flatten(0, -2).t() @ argument_TBI.flatten(0, -2)))
        of_parameters.append((product.bias, None if product.bias is None else dz_TBO.flatten(0, -2).sum(0)))
    for (parameter, _, sum_batch), total in zip(plan.parameter_sums, sums, strict=True):
        of_parameters.append((parameter, (total.sum(0) if sum_batch else total).view_as(parameter)))
    d_input = None if plan.trace.d_input is None else gradients[plan.trace.d_input]
    return d_input, d_states, of_parameters


def _verify(plan: Plan, runner: Runner, step: Step, p_TBP: Tensor, state: State) -> None:
    """Compare a runner with the step itself: outputs, last state and every gradient.

    Raises:
        Untraceable: they differ by more than rounding.
    """
    results: list[list[Tensor | None]] = []
    counters: list[list[Tensor]] = []  # states that are no floating-point numbers
    n_steps = runner.CHECKED_STEPS  # the same input again: on a single step not all differences show
    p_TBP = torch.cat([p_TBP] * -(-n_steps // len(p_TBP)))[:n_steps]
    for traced in (False, True):
        with torch.enable_grad():
            p = p_TBP.detach().requires_grad_()
            before = map_state(lambda leaf: leaf.detach().requires_grad_(leaf.is_floating_point()), state)
            y_TBH, after = _scan(plan, runner, p, before) if traced else step_by_step(step, p, before)
            outputs = [leaf for leaf in (y_TBH, *list_leaves(after)) if leaf.is_floating_point()]
            counters.append([leaf for leaf in list_leaves(after) if not leaf.is_floating_point()])
            derived = [leaf for leaf in outputs if leaf.requires_grad]
            total = sum((leaf * torch.linspace(-1, 1, leaf.numel()).to(leaf).view_as(leaf)).sum() for leaf in derived)
            assert isinstance(total, Tensor)
            parameters = [p, *(c for c in plan.trace.constants.values() if c.requires_grad)]
            wanted = [*parameters, *(leaf for leaf in list_leaves(before) if leaf.requires_grad)]
            results.append([*outputs, *torch.autograd.grad(total, wanted, allow_unused=True)])
    if not all(map(torch.equal, *counters)):
        raise Untraceable("its trace gives other numbers")
    pairs = [[p_TBP.new_zeros(()) if value is None else value for value in both] for both in zip(*results, strict=True)]
    # Terms of a sum are rounded, and may nearly cancel; a resumed run must come to the same verdict by other numbers.
    largest = max(float(expected.detach().abs().max()) for expected, _ in pairs)
    for expected, found in pairs:
        eps = torch.finfo(expected.dtype).eps
        limit = eps**0.5 * expected.abs().max() + _ROUNDINGS * eps * largest
        if not (expected - found).abs().max() <= limit:
            raise Untraceable("its trace gives other numbers")
    if isinstance(runner, LoopRunner) and not runner.overwrites_safely(p_TBP, list_leaves(state)):
        raise Untraceable("its trace gives other numbers where it overwrites its input")


@contextlib.contextmanager
def isolated(module: nn.Module) -> Iterator[None]:
    """Restore the buffers of a module and torch's random numbers after the block."""
    before = [
        (part, name, buffer, buffer.detach().clone())
        for part in module.modules()
        for name, buffer in own_buffers(part)
        if not buffer.is_inference()
    ]
    gpus = {tensor.device for tensor in list_tensors(module) if tensor.is_cuda}
    with torch.random.fork_rng(gpus):
        try:
            yield
        finally:
            for part, name, buffer, value in before:
                set_buffer(part, name, buffer)  # a step may have replaced it
                if not torch.equal(buffer, value):  # else its version stays, which graphs that saved it compare
                    with torch.no_grad():
                        buffer.copy_(value)
