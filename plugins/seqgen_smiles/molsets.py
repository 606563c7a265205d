"""The files of the package molsets, read where they lie and never imported."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Literal

from pydantic import Field

import seqgen

_COLUMN = "SMILES"
_HELD_OUT_BITS = 64
FOLDER = "moses/dataset/data/"
"""Where the wheel has its lists of molecules."""

MolsetsPath = Annotated[
    str | None,
    Field(description="the wheel of molsets, or the folder it was unpacked to; left out: as it is installed"),
]


def molsets(what: str, path: str | None) -> seqgen.PackageFiles:
    """The files of the package molsets, for a part named ``what``."""
    return seqgen.PackageFiles("molsets", what, path=path)


@dataclass(frozen=True)
class Column:
    """The column SMILES of a list in the package, as records.

    Attributes:
        files: the package.
        name: the list, such as "train".
        split: the part that its records belong to, if any.
        valid_share: the share of them, by a hash of the text, that belongs to the part "valid" instead.

    Raises (while iterating):
        CorpusError: the list is damaged, or has no such column.
    """

    files: seqgen.PackageFiles
    name: str
    split: Literal["train", "test"] | None = None
    valid_share: float = 0.0

    def __iter__(self) -> Iterator[seqgen.Record]:
        """The records, from the first."""
        limit = int(self.valid_share * 2**_HELD_OUT_BITS)
        for text in self._texts():
            held_out = limit and _hash(text) < limit
            yield seqgen.Record(text, split="valid" if held_out else self.split)

    def _texts(self) -> Iterator[str]:
        name = f"{FOLDER}{self.name}.csv.gz"
        try:
            with (
                self.files.open(name) as packed,
                gzip.open(packed) as plain,
                io.TextIOWrapper(plain, encoding="utf-8", newline="") as lines,
            ):
                rows = csv.reader(lines)
                header = next(rows, [])
                if _COLUMN not in header:
                    raise seqgen.CorpusError(f"{name!r} of molsets has no column {_COLUMN}; it has {header}")
                column = header.index(_COLUMN)
                yield from (row[column] for row in rows if row)
        except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError, IndexError, csv.Error) as error:
            raise seqgen.CorpusError(f"{name!r} of molsets is damaged: {error}") from None


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=_HELD_OUT_BITS // 8).digest())
