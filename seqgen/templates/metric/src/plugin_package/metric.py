"""Lengths of texts."""

from collections.abc import Mapping, Sequence
from statistics import mean


class LengthMetric:
    """Mean lengths, in characters."""

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float]:
        """Figures by name; of an empty list they are not a number."""
        return {"length": _mean_length(samples), "length_held_out": _mean_length(reference)}


def _mean_length(texts: Sequence[str]) -> float:
    return float(mean(map(len, texts))) if texts else float("nan")
