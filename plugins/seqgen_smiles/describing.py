"""Gathers what a metric wants to know of molecules, text by text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqgen_smiles.molecules import read
from seqgen_smiles.properties import PROPERTIES, Filters, fragments, scaffold
from seqgen_smiles.summary import BITS, Plan, Summary


class Describer:
    """Gathers what a plan asks for."""

    def __init__(self, plan: Plan) -> None:
        from rdkit.Chem import rdFingerprintGenerator

        self._plan = plan
        self._generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
        self._filters = None if plan.smarts is None else Filters(plan.smarts)
        self._properties = {name: function for name in plan.properties if (function := PROPERTIES[name]()) is not None}

    def describe(self, texts: Sequence[str]) -> Summary:
        """The summary of texts."""
        from rdkit import rdBase

        summary, prints = Summary(properties={name: [] for name in self._properties}), []
        for index, text in enumerate(texts):
            molecule = read(text).molecule
            with rdBase.BlockLogs():
                prints += self._add(molecule, summary, index % self._plan.every == 0)
        if prints:
            summary.prints = np.packbits(np.stack(prints), axis=1)
        return summary

    def _add(self, molecule: Any, summary: Summary, measure: bool) -> list[npt.NDArray[np.uint8]]:
        """Add a molecule; gives its fingerprint, if that is wanted and it is valid."""
        from rdkit import Chem

        smiles = None if molecule is None else _attempt(Chem.MolToSmiles, molecule)
        summary.canonical.append(smiles)
        if smiles is None:
            return []
        if self._filters is not None:
            summary.passed += bool(_attempt(self._filters.passes, molecule))
        for name, function in self._properties.items() if measure else ():
            value = _attempt(function, molecule)
            summary.properties[name] += [] if value is None else [float(value)]
        if not self._plan.shape:
            return []
        summary.fragments.update(_attempt(fragments, molecule) or ())
        summary.scaffolds.update(_attempt(scaffold, molecule) or ())
        return [self._generator.GetFingerprintAsNumPy(molecule)]


def _attempt(function: Any, molecule: Any) -> Any:
    """What a function gives of a molecule; None where RDKit fails, in whatever way."""
    try:
        return function(molecule)
    except Exception:
        return None
