"""SMILES randomization: the same molecule written with another atom order (arXiv:1703.07076)."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from seqgen_smiles.molecules import need_rdkit, read
from seqgen_smiles.translation import to_selfies

_AROMATIC = re.compile(r"(?:Cl|Br|\[[0-9]*[^a-z0-9\]][^]]*\]|[^a-z\[])*(?:\[[0-9]*[a-z]|[bcnops])")
"""A text up to its first aromatic atom; Cl, Br and atoms in brackets have small letters of their own."""


def rewrite(text: str, random: Random) -> str:
    """Rewrite a text with its atoms in random order; return it unchanged if it is not a molecule.

    The atoms are shuffled and written in that order, because RDKit's own randomization uses a process-wide seed. A
    SELFIES text becomes a SELFIES text, and one without aromatic atoms, in Kekulé's form, becomes one without.
    """
    from rdkit import Chem

    reading = read(text)
    if reading.molecule is None:
        return text
    order = list(range(reading.molecule.GetNumAtoms()))
    random.shuffle(order)
    try:
        shuffled = Chem.RenumberAtoms(reading.molecule, order)
        if not _AROMATIC.match(text):
            Chem.Kekulize(shuffled, clearAromaticFlags=True)
        written: str = Chem.MolToSmiles(shuffled, canonical=False)
    except Exception:  # RDKit's exceptions have no common type
        return text
    return (to_selfies(written) or text) if reading.is_selfies else written


def load() -> Callable[[str, Random], str]:
    """Return the augmentation; it has no options.

    Raises:
        MissingExtra: RDKit is not installed.
    """
    need_rdkit("the augmentation random-smiles")
    return rewrite
