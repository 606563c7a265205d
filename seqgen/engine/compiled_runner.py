"""The compiled runner: a plan in chunks of eight steps that torch's compiler has fused; the loops run the rest.

Compiling takes tens of seconds; on a CPU the library is kept on disk and loaded within milliseconds. Layers with equal
steps share it.

Dimension letters: T steps, C steps of a chunk, B batch, P projection, H output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from seqgen.engine.aot_cache import Compiled, compile_ahead
from seqgen.engine.codegen import Codegen
from seqgen.engine.ir import Operation, Trace
from seqgen.engine.loop_runner import LoopRunner, Saved, allocate_outputs
from seqgen.engine.onednn_linear import can_pack, pack, packed_operation
from seqgen.engine.peephole import inputs
from seqgen.engine.plan import Plan
from seqgen.engine.torch_compat import has_library_runner

CHUNK = 8
_STEPS = range(CHUNK)
_jit_compiled: dict[Any, Callable[..., Any]] = {}


class LoopInvariants:
    """The values that the steps of a direction read and none of them changes.

    These are the constants, what is computed from them alone, and wide matrices packed for many products.

    Args:
        trace: of a step.
        operations: of the direction.
        varying: values that a step gets from the step before it, or from outside.
        outputs: values that a step returns.

    Attributes:
        in_loop: the operations that remain in the loop.
    """

    def __init__(
        self, trace: Trace, operations: list[Operation], varying: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self._trace = trace
        code = Codegen(f"def loop({', '.join(trace.constants)}):", trace.shapes)
        self.in_loop, wide = code.hoist(operations, trace.constants)
        changing = {*varying, *(name for op in self.in_loop for name in op.results)}
        invariant = {*trace.constants, *(name for op in operations for name in op.results)} - changing
        read = [name for op in self.in_loop for name in inputs(op)]
        self._names = [name for name in dict.fromkeys([*read, *outputs]) if name in invariant]
        code.add(1, f"return [{', '.join(self._names)}]")
        self._compute = code.compile()
        self._packed: dict[str, int] = {}
        multiplied = code.factors(self.in_loop)
        for name, value in self._unpacked():
            if name in wide and can_pack(value) and [*read, *outputs].count(name) == multiplied.count(name):
                self._packed[name] = wide[name]
        if self._packed:
            packed_operation()

    def values(self) -> list[Tensor]:
        """Return the values for the constants as they are now, wide matrices packed."""
        rows = self._packed
        return [pack(value.t(), rows[name]) if name in rows else value for name, value in self._unpacked()]

    def examples(self) -> list[Tensor]:
        """Return the same without packing, which the compiler cannot look into."""
        return [value.t().contiguous() if name in self._packed else value for name, value in self._unpacked()]

    def _unpacked(self) -> list[tuple[str, Tensor]]:
        values = self._compute(*(constant.detach() for constant in self._trace.constants.values()))
        return list(zip(self._names, values, strict=True))

    def open_function(self, before: Sequence[str], after: Sequence[str]) -> Codegen:
        """Begin a function of these values, with other arguments before and after them."""
        code = Codegen(f"def loop({', '.join([*before, *self._names, *after])}):", self._trace.shapes)
        code.bind_packed(self._packed)
        return code


class CompiledRunner:
    """The compiled chunks of a plan; has the methods of ``LoopRunner``.

    Args:
        plan: of a step.
        loops: its loops, for the steps after the last whole chunk.
        p_BP: the projection of a step, of the shape to compile for.
        states: before it.
    """

    CHECKED_STEPS = CHUNK

    def __init__(self, plan: Plan, loops: LoopRunner, p_BP: Tensor, states: Sequence[Tensor]) -> None:
        self._plan, self._loops, trace = plan, loops, plan.trace
        outputs = [trace.output, *trace.states, *plan.saved]
        self._ahead = LoopInvariants(trace, plan.forward, ["p", *plan.states], outputs)
        outputs = [*plan.per_step, *plan.d_states_before(), *(name for _, name, _ in plan.parameter_sums)]
        self._back = LoopInvariants(trace, plan.backward, ["dy", *plan.d_states, *plan.saved], outputs)
        # Results of wide products are saved one by one: stacking them would copy them.
        unstacked = self._ahead.open_function([], []).wide_results(self._ahead.in_loop)
        self._saved_names = {
            name: [f"{name}_{step}" for step in _STEPS] if name in unstacked else [f"all_{name}"] for name in plan.saved
        }
        p_CBP, invariants = p_BP.detach().expand(CHUNK, *p_BP.shape).contiguous(), self._ahead.examples()
        states = _contiguous(states)
        y_C = [p_BP.new_empty(trace.shapes[trace.output]) for _ in _STEPS]
        self._forward = _compile(self._write_forward(), [p_CBP, *states, *invariants, *y_C])
        saved = self._forward([p_CBP, *states, *invariants, *y_C])[len(states) :]
        out = [p_BP.new_empty(trace.shapes[name]) for name in plan.per_step for _ in _STEPS]
        d_ends = [torch.zeros_like(state) for state in states]
        invariants = self._back.examples()
        self._backward = _compile(self._write_backward(), [torch.stack(y_C), *d_ends, *saved, *invariants, *out])

    def forward(
        self, p_TBP: Tensor, states: Sequence[Tensor], *, may_overwrite: bool = False
    ) -> tuple[Tensor, list[Tensor], Saved]:
        """Return the outputs (T, B, H), the states after the last step, and what ``backward`` needs."""
        p_TBP, saved = p_TBP.detach(), []  # whether it needs a gradient is no reason to compile again
        y_TBH, before_TBH = allocate_outputs(self._plan, p_TBP, states)
        whole = len(p_TBP) // CHUNK * CHUNK
        if whole:
            y_T, invariants = y_TBH.unbind(0), self._ahead.values()
            for start, p_CBP in zip(range(0, whole, CHUNK), torch.split(p_TBP[:whole], CHUNK), strict=True):
                results = self._forward([p_CBP, *_contiguous(states), *invariants, *y_T[start : start + CHUNK]])
                states, saved_here = results[: len(states)], results[len(states) :]
                saved.append(saved_here)
        saved_last = None
        if whole < len(p_TBP):
            y_last_TBH, states, saved_last = self._loops.forward(p_TBP[whole:], states)
            y_TBH[whole:].copy_(y_last_TBH)
        return y_TBH, list(states), (saved, saved_last, before_TBH)

    def backward(
        self, dy_TBH: Tensor, d_ends: Sequence[Tensor], saved: Saved
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return the gradients of the first states, those of ``Plan.per_step`` (T, B, ...), and the parameter sums."""
        plan, shapes, (saved_chunks, saved_last, _) = self._plan, self._plan.trace.shapes, saved
        per_step = [dy_TBH.new_empty(len(dy_TBH), *shapes[name]) for name in plan.per_step]
        sums: list[Any] = [0.0] * len(plan.parameter_sums)
        whole = len(saved_chunks) * CHUNK
        if saved_last is not None:
            d_ends, per_step_last, sums = self._loops.backward(dy_TBH[whole:], d_ends, saved_last)
            for tensor, last in zip(per_step, per_step_last, strict=True):
                tensor[whole:].copy_(last)
        if whole:
            dy_TBH = dy_TBH.detach().contiguous()
            out, invariants = [tensor.unbind(0) for tensor in per_step], self._back.values()
            for start, saved_here in zip(range(whole - CHUNK, -1, -CHUNK), reversed(saved_chunks), strict=True):
                steps = slice(start, start + CHUNK)
                buffers = chain.from_iterable(parts[steps] for parts in out)
                results = self._backward([dy_TBH[steps], *_contiguous(d_ends), *saved_here, *invariants, *buffers])
                d_ends, more = results[: len(d_ends)], results[len(d_ends) :]
                sums = [total + here for total, here in zip(sums, more, strict=True)]
        return list(d_ends), per_step, sums

    def values_over_time(self, saved: Saved, name: str) -> Tensor:
        """Return a saved value, or the output before, of all steps, (T, B, ...)."""
        saved_chunks, saved_last, before_TBH = saved
        if name == self._plan.previous_output:
            return before_TBH  # type: ignore[no-any-return]
        found = []
        for here in saved_chunks:
            by_part = dict(zip(chain(*self._saved_names.values()), here, strict=True))
            values = [by_part[part] for part in self._saved_names[name]]
            found.append(values[0] if len(values) == 1 else torch.stack(values))
        return torch.cat([*found, *([] if saved_last is None else [self._loops.values_over_time(saved_last, name)])])

    def _write_forward(self) -> Codegen:
        plan, trace = self._plan, self._plan.trace
        y_C = [f"y_{step}" for step in _STEPS]
        code = self._ahead.open_function(["p_C", *plan.states], y_C)
        code.add(1, *(f"saved_{name} = []" for name in plan.saved), f"for p, y in zip(p_C, [{', '.join(y_C)}]):")
        code.write_plain(2, self._ahead.in_loop)
        code.add(2, f"y.copy_({trace.output})", *(f"saved_{name}.append({name})" for name in plan.saved))
        code.add(2, f"[{', '.join(plan.states)}] = [{', '.join(trace.states)}]")
        saved = [
            f"torch.stack(saved_{n})" if len(parts) == 1 else f"*saved_{n}" for n, parts in self._saved_names.items()
        ]
        code.add(1, f"return [{', '.join([*plan.states, *saved])}]")
        return code

    def _write_backward(self) -> Codegen:
        plan = self._plan
        out = {name: [f"out_{name}_{step}" for step in _STEPS] for name in plan.per_step}
        saved = list(self._saved_names.values())
        sums = {f"sum_{index}": name for index, (_, name, _) in enumerate(plan.parameter_sums)}
        code = self._back.open_function(["dy_C", *plan.d_states, *chain(*saved)], list(chain(*out.values())))
        code.add(1, *(f"{total} = 0" for total in sums))
        over = [names[0] if len(names) == 1 else f"[{', '.join(names)}]" for names in (*saved, *out.values())]
        each = ["dy", *plan.saved, *(f"out_{name}" for name in out)]
        code.add(1, f"for {', '.join(each)}, in list(zip({', '.join(['dy_C', *over])}))[::-1]:")
        code.write_plain(2, self._back.in_loop)
        code.add(2, *(f"out_{name}.copy_({name})" for name in out))
        code.add(2, *(f"{total} = {total} + {name}" for total, name in sums.items()))
        code.add(2, f"[{', '.join(plan.d_states)}] = [{', '.join(plan.d_states_before())}]")
        code.add(1, f"return [{', '.join([*plan.d_states, *sums])}]")
        return code


def _contiguous(states: Sequence[Tensor]) -> list[Tensor]:
    """Return values as a library reads them, which does not look at strides."""
    return [state.detach().contiguous() for state in states]


def _compile(code: Codegen, examples: Sequence[Tensor]) -> Compiled:
    """Return the compiled function of a list; equal code of equal shapes is compiled once."""
    if has_library_runner() and all(example.device.type == "cpu" for example in examples):
        return compile_ahead(code.compile(), code.text(), examples)
    key = code.text(), tuple((example.shape, example.dtype, example.device) for example in examples)
    if key not in _jit_compiled:
        _jit_compiled[key] = torch.compile(code.compile(), fullgraph=True, dynamic=False)
    return lambda values: _jit_compiled[key](*values)
