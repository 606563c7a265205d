"""A plan of one step without a state, run without a loop: what is done once, like projecting a table of symbols.

Dimension letters: T steps, here 1; B batch, P projection, H output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from seqgen.engine.codegen import Source
from seqgen.engine.plan import Plan


class Once:
    """A plan's step and its derivative; has the methods of ``Loops``.

    Args:
        plan: of a step without a state.
    """

    CHECKED_STEPS = 1

    def __init__(self, plan: Plan) -> None:
        self._plan, recording = plan, plan.recording
        kept = f"[{', '.join(plan.kept)}]"
        self._forward = self._write(["p"], plan.forward, f"{recording.output}, {kept}")
        sums = ", ".join(name for _, name, _ in plan.sums)
        self._backward = self._write(["dy", "kept"], plan.backward, f"[{', '.join(plan.collected)}], [{sums}]")

    def forward(
        self, p_TBP: Tensor, states: Sequence[Tensor], *, own: bool = False
    ) -> tuple[Tensor, list[Tensor], Any]:
        """The output (1, B, H), no states, and what ``backward`` needs."""
        assert len(p_TBP) == 1 and not states
        y_BH, kept = self._forward(p_TBP[0], *self._plan.recording.constants.values())
        return y_BH[None], [], kept

    def backward(
        self, dy_TBH: Tensor, d_ends: Sequence[Tensor], kept: Any
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """No gradients of states, those ``collected`` (1, B, ...), and those of parameters used directly."""
        collected, sums = self._backward(dy_TBH[0], kept, *self._plan.recording.constants.values())
        return [], [value[None] for value in collected], sums

    def over_time(self, kept: Any, name: str) -> Tensor:
        """A kept value, (1, B, ...)."""
        value: Tensor = kept[self._plan.kept.index(name)]
        return value[None]

    def _write(self, arguments: list[str], operations: list[Any], results: str) -> Callable[..., Any]:
        recording = self._plan.recording
        source = Source(f"def loop({', '.join([*arguments, *recording.constants])}):", recording.shapes)
        if "kept" in arguments and self._plan.kept:
            source.add(1, f"{', '.join(self._plan.kept)}, = kept")
        source.operations(1, operations)
        source.add(1, f"return {results}")
        return source.compile()
