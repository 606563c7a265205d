"""Reads the list."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import seqgen
from seqgen_smiles.forms import Form, in_form


def load(*, form: Form = "smiles") -> Iterable[seqgen.Record]:
    """The corpus.

    Raises:
        MissingExtra: selfies is asked for and not installed.
    """
    path = Path(str(files("seqgen_corpora"))) / "smiles" / "smiles.txt"
    return in_form(seqgen.TextFile(path), form, "the form selfies of the corpus smiles")
