"""The mean length of texts."""

from collections.abc import Mapping, Sequence
from statistics import mean


class LengthMetric:
    """A metric of mean lengths in characters."""

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float]:
        """Return named values; NaN for an empty list."""
        return {"length": _mean_length(samples), "length_held_out": _mean_length(reference)}


def _mean_length(texts: Sequence[str]) -> float:
    return float(mean(map(len, texts))) if texts else float("nan")
