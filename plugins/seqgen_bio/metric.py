"""The share of G and C."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar


class GcMetric:
    """The share of G and C among the bases A, C, G and T.

    Metrics:
        share: of the samples.
        share_held_out: of the reference.
    """

    labels: ClassVar = {"share": "share of G and C", "share_held_out": "share of G and C in held-out sequences"}

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float | None]:
        """Return the shares; None of no bases."""
        return {"share": _share(samples), "share_held_out": _share(reference)}


def _share(texts: Iterable[str]) -> float | None:
    strong = weak = 0
    for text in texts:
        bases = text.upper()
        strong += bases.count("G") + bases.count("C")
        weak += bases.count("A") + bases.count("T")
    return strong / (strong + weak) if strong + weak else None
