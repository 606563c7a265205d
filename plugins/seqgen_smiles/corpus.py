"""The corpus of molecules of the NCI open database."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import seqgen
from seqgen_smiles.selfies_records import Form, convert_records


def load(*, form: Form = "smiles") -> Iterable[seqgen.Record]:
    """Return the corpus.

    Raises:
        MissingExtra: ``form`` is "selfies" and the package selfies is not installed.
    """
    path = Path(str(files("seqgen_corpora"))) / "smiles" / "smiles.txt"
    return convert_records(seqgen.TextFile(path), form, "the form selfies of the corpus smiles")
