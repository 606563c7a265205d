"""What a direction of a plan reads at every step and never changes: worked out once, before the chunks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from seqgen.engine.codegen import Source
from seqgen.engine.ir import Operation, Recording
from seqgen.engine.onednn_linear import can_pack, pack, packed_operation
from seqgen.engine.peephole import inputs


class Steady:
    """Constants, what is made of them alone, and wide matrices laid out for many products.

    Args:
        recording: of a step.
        operations: of the direction.
        given: values that are handed from step to step, or come from outside at each.
        needed: values that are handed on.

    Attributes:
        in_loop: the operations that remain.
    """

    def __init__(
        self, recording: Recording, operations: list[Operation], given: Sequence[str], needed: Sequence[str]
    ) -> None:
        self._recording = recording
        source = Source(f"def loop({', '.join(recording.constants)}):", recording.shapes)
        self.in_loop, wide = source.hoist(operations, recording.constants)
        made = {*given, *(name for op in self.in_loop for name in op.results)}
        steady = {*recording.constants, *(name for op in operations for name in op.results)} - made
        read = [name for op in self.in_loop for name in inputs(op)]
        self._names = [name for name in dict.fromkeys([*read, *needed]) if name in steady]
        source.add(1, f"return [{', '.join(self._names)}]")
        self._make = source.compile()
        self._packed: dict[str, int] = {}
        multiplied = source.factors(self.in_loop)
        for name, value in self._plain():
            if name in wide and can_pack(value) and [*read, *needed].count(name) == multiplied.count(name):
                self._packed[name] = wide[name]
        if self._packed:
            packed_operation()

    def values(self) -> list[Tensor]:
        """What is read, as the constants are now."""
        return [pack(value.t(), self._packed[name]) if name in self._packed else value for name, value in self._plain()]

    def examples(self) -> list[Tensor]:
        """The same, without the layout, which the compiler cannot look into."""
        return [value.t().contiguous() if name in self._packed else value for name, value in self._plain()]

    def _plain(self) -> list[tuple[str, Tensor]]:
        values = self._make(*(constant.detach() for constant in self._recording.constants.values()))
        return list(zip(self._names, values, strict=True))

    def begin(self, before: Sequence[str], after: Sequence[str]) -> Source:
        """A function of these values, and of others before and after them."""
        source = Source(f"def loop({', '.join([*before, *self._names, *after])}):", self._recording.shapes)
        source.multiply_laid_out(self._packed)
        return source
