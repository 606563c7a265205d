"""The corpora of MOSES (arXiv:1811.12823), read from the package molsets; see DATASHEET-moses.md.

The package cannot be installed with current libraries, because it requires a release of pomegranate that no longer
builds. Its wheel is enough: it is never imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

import seqgen
from seqgen_smiles.molsets import FOLDER, MoleculeList, MolsetsPath, molsets
from seqgen_smiles.selfies_records import Form, convert_records


@dataclass(frozen=True)
class _Chain:
    """The records of several lists in order."""

    lists: tuple[MoleculeList, ...]

    def __iter__(self) -> Iterator[seqgen.Record]:
        for records in self.lists:
            yield from records


def load(
    *,
    path: MolsetsPath = None,
    form: Form = "smiles",
    valid_share: Annotated[
        float, Field(ge=0, le=0.5, description="share of train.csv held out for validation, chosen by a hash")
    ] = 0.005,
) -> Iterable[seqgen.Record]:
    """Return the training molecules, some of them held out for validation, then the test molecules.

    Raises:
        MissingExtra: molsets is neither installed nor given, or ``form`` needs the package selfies.
    """
    files = molsets("the corpus moses", path)
    files.names(FOLDER)  # raise now, not at the first record
    lists = _Chain((MoleculeList(files, "train", "train", valid_share), MoleculeList(files, "test", "test")))
    return convert_records(lists, form, "the form selfies of the corpus moses")


def load_test(*, path: MolsetsPath = None, form: Form = "smiles") -> Iterable[seqgen.Record]:
    """Return the test molecules without a split, as a reference for samples; raises as ``load``."""
    return _reference("test", "the corpus moses-test", path, form)


def load_scaffolds(*, path: MolsetsPath = None, form: Form = "smiles") -> Iterable[seqgen.Record]:
    """Return the molecules whose scaffolds are not in the training part; raises as ``load``."""
    return _reference("test_scaffolds", "the corpus moses-scaffolds", path, form)


def _reference(name: str, what: str, path: str | None, form: str) -> Iterable[seqgen.Record]:
    files = molsets(what, path)
    files.names(FOLDER)
    return convert_records(MoleculeList(files, name), form, f"the form selfies of {what}")
