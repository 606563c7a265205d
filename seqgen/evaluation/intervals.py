"""Confidence intervals: of ratios and differences (bootstrap), proportions (Wilson) and means (t).

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval); Wilson 1927,
doi:10.1080/01621459.1927.10502953 (score interval of a proportion).

Dimension letters: N records, D resamples.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.number[Any]]
    Floats = npt.NDArray[np.float64]


Interval = tuple[float, float]
N_RESAMPLES = 2000
"""Default number of resamples of an interval."""
_MAX_UNITS = 10_000  # units to resample; more records are first summed in random groups
_MAX_INDICES = 4_000_000  # indices held at a time
_NORMAL_975 = 1.959963984540054


def ratio_interval(
    numerator_N: Numbers, denominator_N: Numbers, *, seed: int = 0, n_resamples: int = N_RESAMPLES
) -> Interval:
    """Return the 95% percentile interval of sum(numerator) / sum(denominator), with records resampled with replacement.

    More than 10,000 records are first summed in 10,000 random groups: the variance of a group's sum is that of its
    records, so the interval stays that of the records.

    Args:
        numerator_N: what each record adds to the numerator, such as its nats.
        denominator_N: what it adds to the denominator, such as its characters.
        seed: of the resamples.
        n_resamples: D.

    Returns:
        The lower and the upper end; both NaN for fewer than two records, which give no estimate of the variance.
    """
    if len(numerator_N) < 2:
        return math.nan, math.nan
    random = np.random.default_rng(seed)
    pair_N2 = np.stack((numerator_N, denominator_N), 1).astype(np.float64)
    if len(pair_N2) > _MAX_UNITS:
        starts = np.linspace(0, len(pair_N2), _MAX_UNITS, endpoint=False).astype(np.int64)
        pair_N2 = np.add.reduceat(random.permutation(pair_N2), starts)
    sums_D2 = _resampled_sums(pair_N2, random, n_resamples)
    return _percentile_interval(sums_D2[:, 0] / sums_D2[:, 1])


def difference_interval(first_N: Numbers, second_N: Numbers) -> Interval:
    """Return the 95% percentile interval of mean(first) - mean(second), each sample resampled on its own.

    Args:
        first_N: a measurement of each text of one kind.
        second_N: the same of another kind; the number may differ.

    Returns:
        The lower and the upper end; both NaN where a kind has fewer than two texts.
    """
    if min(len(first_N), len(second_N)) < 2:
        return math.nan, math.nan
    random = np.random.default_rng(0)
    first_D1, second_D1 = (
        _resampled_sums(np.asarray(values, dtype=np.float64)[:, None], random, N_RESAMPLES) / len(values)
        for values in (first_N, second_N)
    )
    return _percentile_interval((first_D1 - second_D1)[:, 0])


def share_interval(hits: int, n: int) -> Interval:
    """Return Wilson's 95% interval of a proportion with ``hits`` successes in ``n`` trials; (0, 1) if n is 0."""
    if not n:
        return 0.0, 1.0
    share, z2 = hits / n, _NORMAL_975**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _NORMAL_975 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def binomial_tail(hits: int, n: int, share: float) -> float:
    """Return the probability of at least ``hits`` successes in ``n`` trials of probability ``share``."""
    if share <= 0 or share >= 1:
        return float(hits <= n * share)
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        + k * math.log(share) + (n - k) * math.log1p(-share)
        for k in range(hits, n + 1)
    ]  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, logs)))


def _resampled_sums(values_NK: Floats, random: np.random.Generator, n_resamples: int) -> Floats:
    """Return sums (D, K) over N rows sampled with replacement, computed in batches."""
    n, batch_size = len(values_NK), max(1, _MAX_INDICES // len(values_NK))
    sums = [
        values_NK[random.integers(0, n, (min(batch_size, n_resamples - start), n))].sum(1)
        for start in range(0, n_resamples, batch_size)
    ]
    return np.concatenate(sums)


def _percentile_interval(values_D: Floats) -> Interval:
    low, high = np.quantile(values_D, (0.025, 0.975))
    return float(low), float(high)


# -- means of a few values, by Student's t

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


def mean_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean of some values, and the half-width of its 95% confidence interval.

    Args:
        values: at least one.

    Returns:
        The mean, and t times the standard error; None for a single value, which gives no estimate of the spread.
    """
    values = [float(value) for value in values]  # of numpy too, with which statistics cannot compute
    if not all(map(math.isfinite, values)):
        return statistics.fmean(values), math.nan
    if len(values) < 2:
        return values[0], None
    error = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), t_quantile(len(values) - 1) * error
