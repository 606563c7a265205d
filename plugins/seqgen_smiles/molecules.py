"""Conversion between texts and molecules, with RDKit and selfies.

A text may be SMILES or SELFIES (arXiv:1905.13741). Only a text of bracketed groups and dots is ambiguous:
``[Na+].[Cl-]`` is salt in SMILES, ``[C][C][O]`` is ethanol in SELFIES and three bare atoms in SMILES. Such a text is
read as SMILES if that leaves no radical, else as SELFIES, and if that fails as SMILES after all. So every SELFIES of
more than a few atoms, and every salt, is read as intended. A molecule's canonical form keeps the notation of its text:
RDKit's canonical SMILES, or the SELFIES of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import seqgen
from seqgen_smiles.translation import MAY_BE_SELFIES, from_selfies, to_selfies

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_NOT_SMILES = re.compile(r"[^!-~]")


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading a text as a molecule.

    Attributes:
        molecule: the sanitized molecule; None if the text is not valid.
        is_selfies: True if the text was read as SELFIES.
        smiles: the SMILES that was read.
    """

    molecule: Mol | None
    is_selfies: bool
    smiles: str


def need_rdkit(what: str) -> None:
    """Raise an error if RDKit is not installed; ``what`` needs it.

    Raises:
        MissingExtra: RDKit is not installed.
    """
    try:
        import rdkit.Chem  # noqa: F401
    except ImportError:
        raise seqgen.MissingExtra("chem", what) from None


LONGEST = 10_000
"""Characters of a text, and atoms of a molecule, beyond which none is read: RDKit's writer would overflow the stack."""


def parse(smiles: str, *, sanitize: bool = True) -> Mol | None:
    """Return the molecule of a SMILES string, or None; RDKit's log is silenced.

    Args:
        smiles: any string.
        sanitize: False checks the grammar only, not valences and aromatic rings.
    """
    from rdkit import Chem, rdBase

    if not smiles or len(smiles) > LONGEST or _NOT_SMILES.search(smiles):  # text after a space would be a name
        return None
    with rdBase.BlockLogs():
        try:
            molecule = Chem.MolFromSmiles(smiles, sanitize=sanitize)
        except Exception:  # RDKit's exceptions have no common type
            return None
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def read(text: str) -> Reading:
    """Read a text as SMILES or SELFIES; see the module for ambiguous texts."""
    molecule = parse(text)
    if MAY_BE_SELFIES.fullmatch(text) and (molecule is None or _is_radical(molecule)):
        smiles = from_selfies(text)
        if smiles and (decoded := parse(smiles)) is not None:
            return Reading(decoded, True, smiles)
    return Reading(molecule, False, text)


def _is_radical(molecule: Mol) -> bool:
    return any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())


def canonical(reading: Reading) -> str:
    """Return the canonical form of a valid molecule in the notation of its text.

    If its SELFIES does not round-trip to the same canonical SMILES, the canonical SMILES is returned.
    """
    from rdkit import Chem

    smiles: str = Chem.MolToSmiles(reading.molecule)
    if not reading.is_selfies:
        ambiguous = MAY_BE_SELFIES.fullmatch(smiles) and read(smiles).is_selfies
        return Chem.MolToSmiles(reading.molecule, allBondsExplicit=True) if ambiguous else smiles
    written = to_selfies(smiles)
    again = read(written) if written else None
    round_trips = again is not None and again.is_selfies and Chem.MolToSmiles(again.molecule) == smiles
    return written if written and round_trips else smiles


def formula(text: str) -> str:
    """Return formula and weight, ``C2H6O, 46.07 g/mol``; "" if the text is not valid or RDKit is not installed."""
    try:
        from rdkit.Chem import rdMolDescriptors
    except ImportError:
        return ""
    molecule = read(text).molecule
    if molecule is None:
        return ""
    weight = rdMolDescriptors._CalcMolWt(molecule)
    return f"{rdMolDescriptors.CalcMolFormula(molecule)}, {weight:.2f} g/mol"
