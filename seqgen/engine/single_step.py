"""A runner for one step without a state, such as the projection of a table of symbols.

Dimension letters: T steps, here 1; B batch, P projection, H output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from seqgen.engine.codegen import Codegen
from seqgen.engine.ir import Operation
from seqgen.engine.plan import Plan


class SingleStep:
    """The step of a plan and its derivative without a loop; has the methods of ``LoopRunner``.

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
    ) -> tuple[Tensor, list[Tensor], Any]:
        """Return the output (1, B, H), no states, and what ``backward`` needs."""
        assert len(p_TBP) == 1 and not states
        y_BH, saved = self._forward(p_TBP[0], *self._plan.trace.constants.values())
        return y_BH[None], [], saved

    def backward(
        self, dy_TBH: Tensor, d_ends: Sequence[Tensor], saved: Any
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return no gradients of states, those of ``per_step`` (1, B, ...), and those of parameters used directly."""
        per_step, sums = self._backward(dy_TBH[0], saved, *self._plan.trace.constants.values())
        return [], [value[None] for value in per_step], sums

    def values_over_time(self, saved: Any, name: str) -> Tensor:
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
