"""The corpus of first names, read from two lists."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from itertools import chain
from pathlib import Path

import seqgen


class Names:
    """The records: the female names, then the male names."""

    def __iter__(self) -> Iterator[seqgen.Record]:
        """Iterate over the records from the first."""
        folder = Path(str(files("seqgen_corpora"))) / "names"
        return chain.from_iterable(
            seqgen.TextFile(folder / f"{label}.txt", label=label) for label in ("female", "male")
        )
