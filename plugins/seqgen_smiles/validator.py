"""Tells whether a text is a molecule."""

from __future__ import annotations

import seqgen
from seqgen_smiles.molecules import canonical, need_rdkit, read
from seqgen_smiles.reasons import why_not


class MoleculeValidator:
    """A text is valid if RDKit reads it as SMILES (or what selfies decodes it to) and sanitises it.

    One molecule, or several that a dot joins. What canonical form it has, and when a text is read as SELFIES, is told
    in :mod:`seqgen_smiles.molecules`.
    """

    def validate(self, text: str) -> seqgen.Verdict:
        """The verdict; atoms and characters are counted from 0."""
        reading = read(text)
        if reading.molecule is None:
            return seqgen.Verdict(False, why_not(text))
        try:
            return seqgen.Verdict(True, canonical=canonical(reading))
        except Exception as error:  # what RDKit raises is not of one type
            return seqgen.Verdict(False, f"it cannot be written: {str(error).strip().splitlines()[0]}")


def load() -> MoleculeValidator:
    """The validator; it has no options.

    Raises:
        MissingExtra: RDKit is not installed.
    """
    need_rdkit("the validator smiles")
    return MoleculeValidator()
