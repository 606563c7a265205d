"""Figures and parts of single molecules, by RDKit."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Sequence
from typing import Any

_ATOMS = frozenset(("C", "N", "S", "O", "F", "Cl", "Br", "H"))
_MAX_IN_RING = 7  # atoms


def fragments(molecule: Any) -> list[str]:
    """The SMILES of what is left when every bond of BRICS (doi:10.1002/cmdc.200800178) is broken."""
    from rdkit import Chem

    broken: str = Chem.MolToSmiles(Chem.rdmolops.FragmentOnBRICSBonds(molecule))
    return broken.split(".")


def scaffold(molecule: Any) -> list[str]:
    """The SMILES of the rings and what joins them (doi:10.1021/jm9602928), if there are two rings and more."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    found = MurckoScaffold.GetScaffoldForMol(molecule)  # type: ignore[no-untyped-call]
    smiles: str = Chem.MolToSmiles(found)
    return [smiles] if smiles and found.GetRingInfo().NumRings() >= 2 else []


class Filters:
    """The filters through which the molecules of MOSES went (arXiv:1811.12823).

    A molecule passes if it has the atoms C, N, S, O, F, Cl, Br and H only, no charge, no ring of eight atoms and more,
    and none of some patterns.

    Args:
        smarts: the patterns; they may name hydrogen atoms.
    """

    def __init__(self, smarts: Sequence[str]) -> None:
        from rdkit import Chem

        patterns = [Chem.MolFromSmarts(text) for text in smarts]
        self._patterns = [(Chem.PatternFingerprint(pattern), pattern) for pattern in patterns]

    def passes(self, molecule: Any) -> bool:
        """Whether a molecule passes."""
        from rdkit import Chem, DataStructs

        if any(atom.GetFormalCharge() or atom.GetSymbol() not in _ATOMS for atom in molecule.GetAtoms()):
            return False
        if any(len(ring) > _MAX_IN_RING for ring in molecule.GetRingInfo().AtomRings()):
            return False
        whole = Chem.AddHs(molecule)
        bits = Chem.PatternFingerprint(whole)  # what lacks a bit of a pattern lacks the pattern: five times as fast
        screened = (pattern for needed, pattern in self._patterns if DataStructs.AllProbeBitsMatch(needed, bits))
        return not any(whole.HasSubstructMatch(pattern) for pattern in screened)


def _log_p() -> Callable[[Any], float] | None:
    from rdkit.Chem import Crippen

    function: Callable[[Any], float] = Crippen.MolLogP  # type: ignore[attr-defined]
    return function


def _synthetic_accessibility() -> Callable[[Any], float] | None:
    """RDKit carries it among its contributions, which some packages of it leave out."""
    with contextlib.suppress(ImportError):
        scorer = importlib.import_module("rdkit.Contrib.SA_Score.sascorer")
        function: Callable[[Any], float] = scorer.calculateScore
        return function
    return None


def _drug_likeness() -> Callable[[Any], float] | None:
    from rdkit.Chem import QED

    function: Callable[[Any], float] = QED.qed
    return function


def _weight() -> Callable[[Any], float] | None:
    from rdkit.Chem import Descriptors

    function: Callable[[Any], float] = Descriptors.MolWt  # type: ignore[attr-defined]
    return function


PROPERTIES: dict[str, Callable[[], Callable[[Any], float] | None]] = {
    "logP": _log_p,
    "SA": _synthetic_accessibility,
    "QED": _drug_likeness,
    "weight": _weight,
}
"""By the names of MOSES, what gives the function of a molecule, or None where RDKit lacks it: octanol-water partition
(Crippen), synthetic accessibility (doi:10.1186/1758-2946-1-8), drug-likeness (doi:10.1038/nchem.1243), g/mol."""
