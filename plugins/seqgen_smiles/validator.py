"""Validator of molecules."""

from __future__ import annotations

import seqgen
from seqgen_smiles.explanation import explain_invalid
from seqgen_smiles.molecules import canonical, need_rdkit, read


class MoleculeValidator:
    """Accepts what RDKit parses and sanitizes as SMILES, directly or decoded from SELFIES.

    A text is one molecule, or several joined by dots. :mod:`seqgen_smiles.molecules` documents the canonical form, and
    when a text is read as SELFIES.
    """

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict on a text; reasons count atoms and characters from 0."""
        reading = read(text)
        if reading.molecule is None:
            return seqgen.Verdict(False, explain_invalid(text))
        try:
            return seqgen.Verdict(True, canonical=canonical(reading))
        except Exception as error:  # RDKit's exceptions have no common type
            return seqgen.Verdict(False, f"it cannot be written: {str(error).strip().splitlines()[0]}")


def load() -> MoleculeValidator:
    """Return the validator; it has no options.

    Raises:
        MissingExtra: RDKit is not installed.
    """
    need_rdkit("the validator smiles")
    return MoleculeValidator()
