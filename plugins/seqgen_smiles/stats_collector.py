"""Computation of molecule statistics, text by text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqgen_smiles.molecules import read
from seqgen_smiles.properties import Filters, fragments, property_functions, scaffold
from seqgen_smiles.stats import BITS, MoleculeStats, StatsConfig


class StatsCollector:
    """Computes the statistics that a configuration selects."""

    def __init__(self, config: StatsConfig) -> None:
        from rdkit.Chem import rdFingerprintGenerator

        self._config = config
        self._generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
        self._filters = None if config.smarts is None else Filters(config.smarts)
        self._properties = property_functions(config.properties)

    def collect(self, texts: Sequence[str], start: int = 0) -> MoleculeStats:
        """Return the statistics of the texts, whose first has the index ``start`` among all."""
        from rdkit import rdBase

        stats, prints = MoleculeStats(properties={name: [] for name in self._properties}), []
        for index, text in enumerate(texts, start):
            molecule = read(text).molecule
            with rdBase.BlockLogs():
                prints += self._add(molecule, stats, index % self._config.every == 0)
        if prints:
            stats.prints = np.packbits(np.stack(prints), axis=1)
        return stats

    def _add(self, molecule: Any, stats: MoleculeStats, measure: bool) -> list[npt.NDArray[np.uint8]]:
        """Add a molecule; return its fingerprint, if configured and the molecule is valid."""
        from rdkit import Chem

        smiles = None if molecule is None else _attempt(Chem.MolToSmiles, molecule)
        stats.canonical.append(smiles)
        if smiles is None:
            return []
        if self._filters is not None:
            stats.passed += bool(_attempt(self._filters.passes, molecule))
        for name, function in self._properties.items() if measure else ():
            value = _attempt(function, molecule)
            stats.properties[name] += [] if value is None else [float(value)]
        if not self._config.shape:
            return []
        stats.fragments.update(_attempt(fragments, molecule) or ())
        stats.scaffolds.update(_attempt(scaffold, molecule) or ())
        return [self._generator.GetFingerprintAsNumPy(molecule)]


def _attempt(function: Any, molecule: Any) -> Any:
    """Return ``function(molecule)``; None if RDKit raises any exception."""
    try:
        return function(molecule)
    except Exception:
        return None
