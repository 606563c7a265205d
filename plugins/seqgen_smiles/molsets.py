"""The data files of the package molsets, read in place without importing it."""

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
"""Folder of the molecule lists inside the wheel."""

MolsetsPath = Annotated[
    str | None,
    Field(description="wheel of molsets, or the folder it was unpacked to; left out: the installed package"),
]


def molsets(what: str, path: str | None, option: str = "corpus.path") -> seqgen.PackageFiles:
    """Return the files of the package molsets; ``what`` names the plugin that needs them, ``option`` sets ``path``."""
    return seqgen.PackageFiles("molsets", what, path=path, option=option)


@dataclass(frozen=True)
class MoleculeList:
    """The records of a molecule list in the package, from its column SMILES.

    Attributes:
        files: the files of the package.
        name: the list, such as "train".
        split: the split of its records, if any.
        valid_share: share of the records, chosen by a hash of the text, that goes to the split "valid" instead.

    Raises (while iterating):
        CorpusError: the list is damaged, or has no column SMILES.
    """

    files: seqgen.PackageFiles
    name: str
    split: Literal["train", "test"] | None = None
    valid_share: float = 0.0

    def __iter__(self) -> Iterator[seqgen.Record]:
        """Iterate over the records from the first."""
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
                    raise seqgen.CorpusError(f"cannot read {name!r} of molsets: no column {_COLUMN}, only {header}")
                column = header.index(_COLUMN)
                yield from (row[column] for row in rows if row)
        except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError, IndexError, csv.Error) as error:
            raise seqgen.CorpusError(
                f"cannot read {name!r} of molsets: the file is damaged: {error}; reinstall molsets"
            ) from None


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=_HELD_OUT_BITS // 8).digest())
