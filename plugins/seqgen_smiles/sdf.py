"""A reader of SDF, the connection tables of molecules with their data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field

import seqgen
from seqgen_smiles.molecules import LONGEST, need_rdkit

SKIPPED = "molecules that RDKit refuses skipped"
END = "$$$$"
_MAX_LINES = 1_000_000  # of one molecule; a longer one is no SDF
_START = re.compile(rb".*\n.*\n.*\n.*V[23]000\s*\n")
_DATA = re.compile(r">.*?<([^>]*)>")
EXAMPLE = b"""ethanol
  made by hand

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.5000    0.0000    0.0000 C   0  0
    2.2000    1.2000    0.0000 O   0  0
  1  2  1  0
  2  3  1  0
M  END
>  <logP>
-0.31

$$$$
water
  made by hand

  1  0  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 O   0  0
M  END
$$$$
"""


def is_sdf(name: str, start: bytes) -> bool:
    """Return whether a file starts with a connection table of version 2000 or 3000."""
    return _START.match(start) is not None


class SdfReader:
    """The molecules of an SDF as SMILES, with the field ``name`` and one for each data item.

    Args:
        canonical: whether a text is RDKit's canonical SMILES; else its atoms are in the order of the file.

    Attributes:
        counts: how many molecules RDKit refuses, such as for an impossible valence; they are skipped.

    Raises:
        MissingExtra: RDKit is not installed.
    """

    def __init__(
        self,
        *,
        canonical: Annotated[bool, Field(description="write canonical SMILES, not in the order of the atoms")] = True,
    ) -> None:
        need_rdkit("an SDF file")
        self._canonical, self.counts = canonical, Counter[str]()

    def read(self, lines: Iterable[str]) -> Iterator[seqgen.Record]:
        """Yield the molecules.

        Raises:
            CorpusError: a molecule does not end, or has two data items of one name.
        """
        block: list[str] = []
        for line in lines:
            if line.startswith(END):
                if any(map(str.strip, block)):
                    yield from self._record(block)
                block = []
                continue
            block.append(line)
            if len(block) > _MAX_LINES:
                raise seqgen.CorpusError(f"a molecule has more than {_MAX_LINES:,} lines: is the file an SDF?")
        if any(map(str.strip, block)):
            if not any(line.startswith("M  END") for line in block):
                raise seqgen.CorpusError("the file ends within a molecule")
            yield from self._record(block)

    def _record(self, block: list[str]) -> Iterator[seqgen.Record]:
        from rdkit import Chem, rdBase

        end = next((n for n, line in enumerate(block, 1) if line.startswith("M  END")), len(block))
        text = ""
        with rdBase.BlockLogs():
            try:
                molecule = Chem.MolFromMolBlock("\n".join(block[:end]) + "\n")
                if molecule is not None and molecule.GetNumAtoms() <= LONGEST:
                    text = Chem.MolToSmiles(molecule, canonical=self._canonical)
            except Exception:  # RDKit's exceptions have no common type
                text = ""
        if text:
            yield seqgen.Record(text, fields=_fields(block[:1], block[end:]))
        else:
            self.counts[SKIPPED] += 1


def _fields(title: list[str], lines: list[str]) -> dict[str, str]:
    """Return the name of a molecule and its data items; the lines of a value, up to a blank one, are joined."""
    found = {"name": title[0].strip()} if title else {}
    data: dict[str, list[str]] = {}
    name = None
    for line in lines:
        if not line.strip():
            name = None
        elif name is not None:  # also a line such as "> 5 <b>"
            data[name].append(line.strip())
        elif match := _DATA.match(line):
            name = match[1].strip()
            if name in data:
                raise seqgen.CorpusError(
                    f"the molecule that ends here has two data items {seqgen.short_repr(name)}; rename or remove one"
                )
            data[name] = []
    found |= {name: "\n".join(values) for name, values in data.items()}
    return {name: value for name, value in found.items() if name and value}
