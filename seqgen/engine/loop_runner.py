"""The loop runner: a plan as two Python loops over time, forward and backward, without autograd and with few calls.

Loop-invariant values are computed before the loop, and results are written into the memory where they are wanted.

Dimension letters: T steps, B batch, P projection, H output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from seqgen.engine.buffers import elide_cats, reuse_memory
from seqgen.engine.codegen import Codegen
from seqgen.engine.ir import Operation
from seqgen.engine.plan import Plan

Saved = Any


def allocate_outputs(plan: Plan, p_TBP: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Return an empty tensor for the outputs (T, B, H), and one for the outputs before each step.

    Both are views of one tensor, shifted by a step. The second is None if no product reads the outputs before.
    """
    shape = plan.trace.shapes[plan.trace.output]
    if plan.previous_output is None:
        return p_TBP.new_empty(len(p_TBP), *shape), None
    all_TBH = p_TBP.new_empty(len(p_TBP) + 1, *shape)
    all_TBH[0].copy_(states[plan.states.index(plan.previous_output)])
    return all_TBH[1:], all_TBH[:-1]


class LoopRunner:
    """Both loops of a plan.

    Args:
        plan: of a step.
    """

    CHECKED_STEPS = 3

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._forward = {flag: self.write_forward(may_overwrite=flag).compile() for flag in (False, True)}
        self._part_sizes: list[list[int] | None] = []
        self._backward = self.write_backward().compile()

    def forward(
        self, p_TBP: Tensor, states: Sequence[Tensor], *, may_overwrite: bool = False
    ) -> tuple[Tensor, list[Tensor], Saved]:
        """Return the outputs (T, B, H), the states after the last step, and what ``backward`` needs.

        With ``may_overwrite`` the projection may be overwritten. That of a single row is not: the bits of a product of
        a vector depend on where in memory its result is, and would differ from those of a step that overwrites nothing.
        """
        trace, may_overwrite = self._plan.trace, may_overwrite and p_TBP.shape[1] > 1
        y_TBH, before_TBH = allocate_outputs(self._plan, p_TBP, states)
        loop = self._forward[may_overwrite]
        ends, saved = loop(p_TBP.unbind(0), y_TBH.unbind(0), *states, *trace.constants.values())
        return y_TBH, ends, (saved, before_TBH)

    def overwrites_safely(self, p_TBP: Tensor, states: Sequence[Tensor]) -> bool:
        """Return whether ``forward`` returns and saves the same bits when it may overwrite the projection."""
        with torch.no_grad():
            (y, ends, saved), (other_y, other_ends, other_saved) = (
                self.forward(p_TBP.clone(), states, may_overwrite=flag) for flag in (False, True)
            )
        pairs = [(y, other_y), *zip(ends, other_ends, strict=True)]
        for values, other_values in zip(saved[0], other_saved[0], strict=True):
            pairs += zip(values, other_values, strict=True)
        return all(torch.equal(one, other) for one, other in pairs)

    def backward(
        self, dy_TBH: Tensor, d_ends: Sequence[Tensor], saved: Saved
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return the gradients of the first states, those of ``Plan.per_step`` (T, B, ...), and the parameter sums."""
        plan, shapes = self._plan, self._plan.trace.shapes
        per_step = [dy_TBH.new_empty(len(dy_TBH), *shapes[name]) for name in plan.per_step]
        out = [
            part.unbind(0)
            for tensor, sizes in zip(per_step, self._part_sizes, strict=True)
            for part in (tensor, *(torch.split(tensor, sizes, -1) if sizes else ()))
        ]
        d_states, sums = self._backward(dy_TBH.unbind(0), *d_ends, saved[0], out, *plan.trace.constants.values())
        return d_states, per_step, sums

    def values_over_time(self, saved: Saved, name: str) -> Tensor:
        """Return a saved value, or the output before, of all steps, (T, B, ...)."""
        values, before_TBH = saved
        return before_TBH if name == self._plan.previous_output else torch.stack(values[self._plan.saved.index(name)])

    def write_forward(self, *, may_overwrite: bool = False) -> Codegen:
        """Write the loop over the steps."""
        plan, trace = self._plan, self._plan.trace
        code = Codegen(f"def loop({', '.join(['p_T', 'y_T', *plan.states, *trace.constants])}):", trace.shapes)
        in_loop, wide = code.hoist(plan.forward, trace.constants)
        code.bind_multipliers(wide, "len(p_T)")
        code.add(1, *(f"saved_{name} = []" for name in plan.saved), "for p, y in zip(p_T, y_T):")
        buffers = reuse_memory(
            in_loop,
            {trace.output: "y"},
            {*plan.saved, *trace.states, trace.output},
            trace,
            not_writable=code.wide_results(in_loop),
            overwritable=["p"] if may_overwrite else [],
        )
        code.write(2, in_loop, buffers)
        code.add(2, *(f"saved_{name}.append({name})" for name in plan.saved))
        code.add(2, f"[{', '.join(plan.states)}] = [{', '.join(trace.states)}]")
        code.add(1, f"return [{', '.join(plan.states)}], [{', '.join(f'saved_{name}' for name in plan.saved)}]")
        return code

    def write_backward(self) -> Codegen:
        """Write the loop over the steps from the last to the first."""
        plan, trace = self._plan, self._plan.trace
        arguments = ["dy_T", *plan.d_states, "saved", "out", *trace.constants]
        code = Codegen(f"def loop({', '.join(arguments)}):", trace.shapes)
        in_loop, wide = code.hoist(plan.backward, trace.constants)
        code.bind_multipliers(wide, "len(dy_T)")
        carried = [name for name in trace.d_states if name]
        elided = elide_cats(in_loop, plan.per_step, carried, trace.shapes)
        out = [buffer for name in plan.per_step for buffer in elided.buffers_of(name)]
        self._part_sizes = [elided.sizes.get(name) for name in plan.per_step]
        sums = {f"sum_{index}": name for index, (_, name, _) in enumerate(plan.parameter_sums)}
        code.add(1, *elided.scratch, *(f"{total} = 0" for total in sums))
        code.add(1, "step_T = list(zip(dy_T, *saved, *out))", "step_T.reverse()")
        code.add(1, f"for {', '.join(['dy', *plan.saved, *out])}, in step_T:")
        live_out = {*plan.per_step, *carried, *elided.buffers, *sums.values()}
        buffers = {name: f"out_{name}" for name in plan.per_step} | elided.buffers
        not_writable = code.wide_results(in_loop)
        code.write(2, in_loop, reuse_memory(in_loop, buffers, live_out, trace, not_writable=not_writable), elided)
        code.add(2, *(f"{total} += {name}" for total, name in sums.items()))
        code.add(2, f"[{', '.join(plan.d_states)}] = [{', '.join(plan.d_states_before())}]")
        code.add(1, f"return [{', '.join(plan.d_states)}], [{', '.join(sums)}]")
        return code


class SingleStep:
    """The step of a plan and its derivative without a loop, such as the projection of a table of symbols; T is 1.

    It has the methods of ``LoopRunner``.

    Args:
        plan: of a step without a state.
    """

    CHECKED_STEPS = 1

    def __init__(self, plan: Plan) -> None:
        self._plan, trace = plan, plan.trace
        saved, per_step = ", ".join(plan.saved), ", ".join(plan.per_step)
        sums = ", ".join(name for _, name, _ in plan.parameter_sums)
        self._forward = self._write(["p"], plan.forward, f"{trace.output}, [{saved}]")
        self._backward = self._write(["dy", "saved"], plan.backward, f"[{per_step}], [{sums}]")

    def forward(
        self, p_TBP: Tensor, states: Sequence[Tensor], *, may_overwrite: bool = False
    ) -> tuple[Tensor, list[Tensor], Saved]:
        """Return the output (1, B, H), no states, and what ``backward`` needs."""
        assert len(p_TBP) == 1 and not states
        y_BH, saved = self._forward(p_TBP[0], *self._plan.trace.constants.values())
        return y_BH[None], [], saved

    def backward(
        self, dy_TBH: Tensor, d_ends: Sequence[Tensor], saved: Saved
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return no gradients of states, those of ``per_step`` (1, B, ...), and those of parameters used directly."""
        per_step, sums = self._backward(dy_TBH[0], saved, *self._plan.trace.constants.values())
        return [], [value[None] for value in per_step], sums

    def values_over_time(self, saved: Saved, name: str) -> Tensor:
        """Return a saved value, (1, B, ...)."""
        value: Tensor = saved[self._plan.saved.index(name)]
        return value[None]

    def _write(self, arguments: list[str], operations: list[Operation], results: str) -> Callable[..., Any]:
        trace = self._plan.trace
        code = Codegen(f"def loop({', '.join([*arguments, *trace.constants])}):", trace.shapes)
        if "saved" in arguments and self._plan.saved:
            code.add(1, f"{', '.join(self._plan.saved)}, = saved")
        code.write(1, operations)
        code.add(1, f"return {results}")
        return code.compile()
