"""Properties and substructures of single molecules, computed with RDKit."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Sequence
from typing import Any

_ATOMS = frozenset(("C", "N", "S", "O", "F", "Cl", "Br", "H"))
_MAX_IN_RING = 7  # atoms


def fragments(molecule: Any) -> list[str]:
    """Return the SMILES of the fragments after breaking every BRICS bond (doi:10.1002/cmdc.200800178)."""
    from rdkit import Chem

    broken: str = Chem.MolToSmiles(Chem.rdmolops.FragmentOnBRICSBonds(molecule))
    return broken.split(".")


def scaffold(molecule: Any) -> list[str]:
    """Return the SMILES of the Murcko scaffold (doi:10.1021/jm9602928) in a list; empty with fewer than two rings."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    found = MurckoScaffold.GetScaffoldForMol(molecule)  # type: ignore[no-untyped-call]
    smiles: str = Chem.MolToSmiles(found)
    return [smiles] if smiles and found.GetRingInfo().NumRings() >= 2 else []


class Filters:
    """The medicinal chemistry filters of MOSES (arXiv:1811.12823).

    A molecule passes if it has only the atoms C, N, S, O, F, Cl, Br and H, no charges, no ring of eight or more atoms,
    and matches none of the patterns.

    Args:
        smarts: the patterns; they may contain hydrogen atoms.
    """

    def __init__(self, smarts: Sequence[str]) -> None:
        from rdkit import Chem

        patterns = [Chem.MolFromSmarts(text) for text in smarts]
        self._patterns = [(Chem.PatternFingerprint(pattern), pattern) for pattern in patterns]

    def passes(self, molecule: Any) -> bool:
        """Return whether a molecule passes."""
        from rdkit import Chem, DataStructs

        if any(atom.GetFormalCharge() or atom.GetSymbol() not in _ATOMS for atom in molecule.GetAtoms()):
            return False
        if any(len(ring) > _MAX_IN_RING for ring in molecule.GetRingInfo().AtomRings()):
            return False
        whole = Chem.AddHs(molecule)
        bits = Chem.PatternFingerprint(whole)  # no match without all of a pattern's bits: five times as fast
        screened = (pattern for needed, pattern in self._patterns if DataStructs.AllProbeBitsMatch(needed, bits))
        return not any(whole.HasSubstructMatch(pattern) for pattern in screened)


def _log_p() -> Callable[[Any], float] | None:
    from rdkit.Chem import Crippen

    function: Callable[[Any], float] = Crippen.MolLogP  # type: ignore[attr-defined]
    return function


def _synthetic_accessibility() -> Callable[[Any], float] | None:
    """Return RDKit's contributed scorer, which some RDKit packages omit."""
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
"""Factories of property functions by MOSES name, None if RDKit lacks it: octanol-water partition coefficient (Crippen),
synthetic accessibility (doi:10.1186/1758-2946-1-8), drug-likeness (doi:10.1038/nchem.1243), weight in g/mol."""
