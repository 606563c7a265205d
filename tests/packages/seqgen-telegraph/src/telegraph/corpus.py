"""The call signs, which lie beside this module."""

from collections.abc import Iterator
from importlib.resources import files

import seqgen


class CallSigns:
    """Each with its first letter as label; can be iterated again and again."""

    def __iter__(self) -> Iterator[seqgen.Record]:
        with (files("telegraph") / "callsigns.txt").open(encoding="ascii") as lines:
            for line in lines:
                yield seqgen.Record(line.strip(), label=line[0])


def load() -> CallSigns:
    """The corpus."""
    return CallSigns()
