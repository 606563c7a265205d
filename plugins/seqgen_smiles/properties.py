"""Properties and substructures of single molecules, computed with RDKit."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable, Sequence
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


PROPERTIES = {
    "logP": "rdkit.Chem.Crippen:MolLogP",
    "SA": "rdkit.Contrib.SA_Score.sascorer:calculateScore",
    "QED": "rdkit.Chem.QED:qed",
    "weight": "rdkit.Chem.Descriptors:MolWt",
}
"""Functions of RDKit by MOSES name: octanol-water partition coefficient (Crippen), synthetic accessibility
(doi:10.1186/1758-2946-1-8), drug-likeness (doi:10.1038/nchem.1243), weight in g/mol."""


def property_functions(names: Iterable[str]) -> dict[str, Callable[[Any], float]]:
    """Return the functions of some properties by name, without SA where this RDKit has no contributed scorer."""
    found = {}
    for name in names:
        module, _, function = PROPERTIES[name].partition(":")
        with contextlib.suppress(ImportError):
            found[name] = getattr(importlib.import_module(module), function)
    return found
