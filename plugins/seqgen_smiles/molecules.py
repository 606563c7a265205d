"""Reading texts as molecules and writing molecules as texts, with RDKit and selfies.

A text may be SMILES or SELFIES (arXiv:1905.13741). Only one that consists of bracket pieces and dots can be either:
``[Na+].[Cl-]`` is salt in SMILES, ``[C][C][O]`` is alcohol in SELFIES and three bare atoms in SMILES. Such a text is
read as SMILES if that leaves no atom with free electrons, else as SELFIES, and where that fails as SMILES after all.
So every SELFIES of more than a few atoms, and every salt, is read as it is meant. A molecule's canonical form is in
the writing of the text it comes from: RDKit's canonical SMILES, or the SELFIES of that.
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
    """A text as a molecule.

    Attributes:
        molecule: what it means, sanitised; None if it is not valid.
        is_selfies: whether it was read as SELFIES.
        smiles: the SMILES that was read.
    """

    molecule: Mol | None
    is_selfies: bool
    smiles: str


def need_rdkit(what: str) -> None:
    """Complain if RDKit is not installed.

    Raises:
        MissingExtra: it is not.
    """
    try:
        import rdkit.Chem  # noqa: F401
    except ImportError:
        raise seqgen.MissingExtra("chem", what) from None


def parse(smiles: str, *, sanitize: bool = True) -> Mol | None:
    """The molecule that a SMILES string means, or None; RDKit's log is silent meanwhile.

    Args:
        smiles: any string.
        sanitize: False asks for the grammar only, not for valences and aromatic rings.
    """
    from rdkit import Chem, rdBase

    if not smiles or _NOT_SMILES.search(smiles):  # RDKit would drop what follows a space, as a name
        return None
    with rdBase.BlockLogs():
        try:
            molecule = Chem.MolFromSmiles(smiles, sanitize=sanitize)
        except Exception:  # what RDKit raises is not of one type
            return None
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def read(text: str) -> Reading:
    """A text as SMILES or SELFIES, whichever it is."""
    molecule = parse(text)
    if MAY_BE_SELFIES.fullmatch(text) and (molecule is None or _has_free_electrons(molecule)):
        smiles = from_selfies(text)
        if smiles and (meant := parse(smiles)) is not None:
            return Reading(meant, True, smiles)
    return Reading(molecule, False, text)


def _has_free_electrons(molecule: Mol) -> bool:
    return any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())


def canonical(reading: Reading) -> str:
    """The canonical form of a valid molecule, in the writing of its text.

    Where its SELFIES does not lead back to the same canonical SMILES, the latter is the form.
    """
    from rdkit import Chem

    smiles: str = Chem.MolToSmiles(reading.molecule)
    if not reading.is_selfies:
        return smiles
    written = to_selfies(smiles)
    again = read(written) if written else None
    leads_back = again is not None and again.is_selfies and Chem.MolToSmiles(again.molecule) == smiles
    return written if written and leads_back else smiles


def formula(text: str) -> str:
    """Molecular formula and weight, ``C2H6O, 46.07 g/mol``; "" for what is no molecule or without RDKit."""
    try:
        from rdkit.Chem import rdMolDescriptors
    except ImportError:
        return ""
    molecule = read(text).molecule
    if molecule is None:
        return ""
    weight = rdMolDescriptors._CalcMolWt(molecule)
    return f"{rdMolDescriptors.CalcMolFormula(molecule)}, {weight:.2f} g/mol"
