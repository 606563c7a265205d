"""Student's t intervals of a mean."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

_MAX_T = 1e3  # the quantile of one degree of freedom is 12.7 at 95%
_HALVINGS = 80


def central_probability(t: float, freedom: int) -> float:
    """Return the probability that Student's t lies between -t and t.

    Source: Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4: a finite sum.

    Args:
        t: not negative.
        freedom: degrees of freedom, at least 1.
    """
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    share = math.sin(angle) * total
    return 2 / math.pi * (angle + share) if odd else share


def t_quantile(freedom: int, level: float = 0.95) -> float:
    """Return the t such that Student's distribution has probability ``level`` between -t and t."""
    low, high = 0.0, _MAX_T
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if central_probability(middle, freedom) < level else (low, middle)
    return (low + high) / 2


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float | None]:
    """Return the mean of some values, and the half-width of its confidence interval.

    Args:
        values: at least one.
        level: confidence level.

    Returns:
        The mean, and t times the standard error; None for a single value, which gives no estimate of the spread.
    """
    if len(values) < 2:
        return values[0], None
    error = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), t_quantile(len(values) - 1, level) * error
