"""Reads the two lists."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import seqgen


class Names:
    """The female names, then the male ones."""

    def __iter__(self) -> Iterator[seqgen.Record]:
        """The records, from the first."""
        folder = Path(str(files("seqgen_corpora"))) / "names"
        for label in ("female", "male"):
            yield from seqgen.TextFile(folder / f"{label}.txt", label=label)


def load() -> Names:
    """The corpus; it has no options."""
    return Names()
