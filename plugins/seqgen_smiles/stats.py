"""Statistics of sets of molecules that the metric needs, and their sum."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

BITS = 1024
"""Bits of a Morgan fingerprint of radius 2."""
_NO_PRINTS = np.zeros((0, BITS // 8), dtype=np.uint8)


@dataclass(frozen=True)
class StatsConfig:
    """The statistics to compute besides canonical SMILES.

    Attributes:
        shape: compute fingerprints, fragments and scaffolds.
        properties: names of properties.
        every: compute properties of every n-th text, counted over all of them.
        smarts: patterns of the filters; None: no filters.
    """

    shape: bool = False
    properties: tuple[str, ...] = ()
    every: int = 1
    smarts: tuple[str, ...] | None = None


@dataclass
class MoleculeStats:
    """Statistics of some texts as molecules.

    Attributes:
        canonical: canonical SMILES of each text, None if it is not valid.
        prints: Morgan fingerprints of the valid texts, (N, 128) packed bytes.
        fragments: counts of BRICS fragments.
        scaffolds: counts of Murcko scaffolds with two or more rings.
        passed: number of valid texts that pass the filters.
        properties: property values by name, where they could be computed.
    """

    canonical: list[str | None] = field(default_factory=list)
    prints: npt.NDArray[np.uint8] = field(default_factory=lambda: _NO_PRINTS, compare=False)
    fragments: Counter[str] = field(default_factory=Counter)
    scaffolds: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    properties: dict[str, list[float]] = field(default_factory=dict)

    @property
    def valid(self) -> list[str]:
        """Return the canonical SMILES of the valid texts in order."""
        return [text for text in self.canonical if text is not None]

    def to_json(self) -> dict[str, Any]:
        """Return the statistics as JSON values."""
        return vars(self) | {"prints": base64.b64encode(self.prints.tobytes()).decode()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> MoleculeStats:
        """Build the statistics from the output of ``to_json``."""
        flat = np.frombuffer(base64.b64decode(data["prints"]), dtype=np.uint8)
        counts = {name: Counter(data[name]) for name in ("fragments", "scaffolds")}
        return cls(**data | counts | {"prints": flat.reshape(-1, BITS // 8)})


def total(parts: Iterable[MoleculeStats]) -> MoleculeStats:
    """Return the sum of statistics, in order."""
    whole, prints = MoleculeStats(), [_NO_PRINTS]
    for part in parts:
        whole.canonical += part.canonical
        prints.append(part.prints)
        whole.fragments.update(part.fragments)
        whole.scaffolds.update(part.scaffolds)
        whole.passed += part.passed
        for name, values in part.properties.items():
            whole.properties.setdefault(name, []).extend(values)
    whole.prints = np.concatenate(prints)
    return whole
