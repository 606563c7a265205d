"""The same molecule written from another atom, along another path (arXiv:1703.07076)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from seqgen_smiles.molecules import need_rdkit, read
from seqgen_smiles.translation import to_selfies


def rewrite(text: str, random: Random) -> str:
    """A text with its atoms in another order; the text itself where it is no molecule.

    The atoms are shuffled and written in the order they then have, as RDKit's own random order comes from a seed that
    the whole process shares. A SELFIES text becomes a SELFIES text.
    """
    from rdkit import Chem

    reading = read(text)
    if reading.molecule is None:
        return text
    order = list(range(reading.molecule.GetNumAtoms()))
    random.shuffle(order)
    try:
        shuffled = Chem.RenumberAtoms(reading.molecule, order)
        written: str = Chem.MolToSmiles(shuffled, canonical=False)
    except Exception:  # what RDKit raises is not of one type
        return text
    return (to_selfies(written) or text) if reading.is_selfies else written


def load() -> Callable[[str, Random], str]:
    """The augmentation; it has no options.

    Raises:
        MissingExtra: RDKit is not installed.
    """
    need_rdkit("the augmentation random-smiles")
    return rewrite
