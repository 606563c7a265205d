"""Loop-invariant values of a plan: computed once before the loop and passed to each compiled chunk."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from seqgen.engine.codegen import Codegen
from seqgen.engine.ir import Operation, Trace
from seqgen.engine.onednn_linear import can_pack, pack, packed_operation
from seqgen.engine.peephole import inputs


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
