"""Reads the two lists."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from itertools import chain
from pathlib import Path

import seqgen


class Names:
    """The female names, then the male ones."""

    def __iter__(self) -> Iterator[seqgen.Record]:
        """The records, from the first."""
        folder = Path(str(files("seqgen_corpora"))) / "names"
        return chain.from_iterable(
            seqgen.TextFile(folder / f"{label}.txt", label=label) for label in ("female", "male")
        )


def load() -> Names:
    """The corpus; it has no options."""
    return Names()
