"""What a metric wants to know of many molecules, and how it is added up."""

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
class Plan:
    """What is gathered beside canonical SMILES.

    Attributes:
        shape: fingerprints, fragments and scaffolds.
        properties: the names of properties.
        every: each so many texts, the properties of one are computed.
        smarts: patterns of the filters; None applies no filters.
    """

    shape: bool = False
    properties: tuple[str, ...] = ()
    every: int = 1
    smarts: tuple[str, ...] | None = None


@dataclass
class Summary:
    """What some texts are, as molecules.

    Attributes:
        canonical: the canonical SMILES of each text, None where it is not valid.
        prints: Morgan fingerprints of the valid ones, (N, 128) bytes of 8 bits.
        fragments: how often each BRICS fragment occurs.
        scaffolds: how often each Murcko scaffold of two rings and more occurs.
        passed: how many of the valid ones pass the filters.
        properties: values by name, of those valid ones that were asked for and have one.
    """

    canonical: list[str | None] = field(default_factory=list)
    prints: npt.NDArray[np.uint8] = field(default_factory=lambda: _NO_PRINTS, compare=False)
    fragments: Counter[str] = field(default_factory=Counter)
    scaffolds: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    properties: dict[str, list[float]] = field(default_factory=dict)

    @property
    def valid(self) -> list[str]:
        """The canonical SMILES of the valid texts, in their order."""
        return [text for text in self.canonical if text is not None]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return vars(self) | {"prints": base64.b64encode(self.prints.tobytes()).decode()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Summary:
        """The summary that ``to_json`` described."""
        flat = np.frombuffer(base64.b64decode(data["prints"]), dtype=np.uint8)
        counts = {name: Counter(data[name]) for name in ("fragments", "scaffolds")}
        return cls(**data | counts | {"prints": flat.reshape(-1, BITS // 8)})


def total(summaries: Iterable[Summary]) -> Summary:
    """Summaries added up, in their order."""
    whole, prints = Summary(), [_NO_PRINTS]
    for summary in summaries:
        whole.canonical += summary.canonical
        prints.append(summary.prints)
        whole.fragments.update(summary.fragments)
        whole.scaffolds.update(summary.scaffolds)
        whole.passed += summary.passed
        for name, values in summary.properties.items():
            whole.properties.setdefault(name, []).extend(values)
    whole.prints = np.concatenate(prints)
    return whole
