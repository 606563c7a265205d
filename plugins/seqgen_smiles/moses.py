"""The molecules of MOSES (arXiv:1811.12823), read from the package molsets where it lies; see DATASHEET-moses.md.

The package cannot be installed beside today's libraries, as it asks for a release of pomegranate that no longer
builds. Its wheel is enough: it is never imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

import seqgen
from seqgen_smiles.forms import Form, in_form
from seqgen_smiles.molsets import FOLDER, Column, MolsetsPath, molsets


@dataclass(frozen=True)
class _Chain:
    """Records of some lists, one after another."""

    lists: tuple[Column, ...]

    def __iter__(self) -> Iterator[seqgen.Record]:
        for records in self.lists:
            yield from records


def load(
    *,
    path: MolsetsPath = None,
    form: Form = "smiles",
    valid_share: Annotated[
        float, Field(ge=0, le=0.5, description="the share of train.csv that is held out for validation, by a hash")
    ] = 0.005,
) -> Iterable[seqgen.Record]:
    """Training molecules, some of them held out for validation, then the test molecules.

    Raises:
        MissingExtra: molsets is neither installed nor given, or selfies is asked for and not installed.
    """
    files = molsets("the corpus moses", path)
    files.names(FOLDER)  # complains now, not at the first record
    lists = _Chain((Column(files, "train", "train", valid_share), Column(files, "test", "test")))
    return in_form(lists, form, "the form selfies of the corpus moses")


def load_test(*, path: MolsetsPath = None, form: Form = "smiles") -> Iterable[seqgen.Record]:
    """The test molecules, without a split: what samples are compared with; raises as ``load``."""
    return _reference("test", "the corpus moses-test", path, form)


def load_scaffolds(*, path: MolsetsPath = None, form: Form = "smiles") -> Iterable[seqgen.Record]:
    """The molecules of scaffolds that the training part does not have; raises as ``load``."""
    return _reference("test_scaffolds", "the corpus moses-scaffolds", path, form)


def _reference(name: str, what: str, path: str | None, form: str) -> Iterable[seqgen.Record]:
    files = molsets(what, path)
    files.names(FOLDER)
    return in_form(Column(files, name), form, f"the form selfies of {what}")
