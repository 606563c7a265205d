"""Confidence intervals: of ratios (t, bootstrap) and differences (bootstrap), proportions (Wilson) and means (t).

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval); Wilson 1927,
doi:10.1080/01621459.1927.10502953 (score interval of a proportion).

Dimension letters: N records, D resamples, G groups, S strata.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Floats, Integers

    Numbers = npt.NDArray[np.number[Any]]


Interval = tuple[float, float]
N_RESAMPLES = 2000
"""Default number of resamples of an interval."""
_FEW_UNITS = 50  # below which a bootstrap interval is too narrow: of 5 units, 83% hold the true value
_MAX_UNITS = 10_000  # units to resample; more records are first summed in random groups
_MAX_INDICES = 4_000_000  # indices held at a time
_TINY = 1e-300
_NORMAL_975 = 1.959963984540054


def ratio_interval(
    numerator_N: Numbers,
    denominator_N: Numbers,
    *,
    groups_N: Integers | None = None,
    signed: bool = False,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Interval:
    """Return the 95% percentile interval of sum(numerator) / sum(denominator), with records resampled with replacement.

    Records of a group count as one. The interval of fewer than 50 records is Student's t interval by the jackknife.
    More than 10,000 records are first summed in 10,000 random sets: the variance of a set's sum is that of its records,
    so the interval stays that of the records.

    Args:
        numerator_N: what each record adds to the numerator, such as its nats.
        denominator_N: what it adds to the denominator, such as its characters.
        groups_N: the group of each record, such as that of all records with its text; None: each is one of its own.
        signed: whether the ratio could be negative, as a difference of losses, even if no numerator is.
        seed: of the resamples.
        n_resamples: D.

    Returns:
        The lower and the upper end; both NaN for fewer than two records, which give no estimate of the variance.
    """
    pair_N2: Floats = np.stack((numerator_N, denominator_N), 1).astype(np.float64)
    if groups_N is not None:
        pair_N2 = _sums_of_groups(pair_N2, groups_N)
    if len(pair_N2) < 2:
        return math.nan, math.nan
    random = np.random.default_rng(seed)
    if len(pair_N2) < _FEW_UNITS:
        return _jackknife_interval(pair_N2, signed=signed)
    if len(pair_N2) > _MAX_UNITS:
        starts = np.linspace(0, len(pair_N2), _MAX_UNITS, endpoint=False).astype(np.int64)
        pair_N2 = np.add.reduceat(random.permutation(pair_N2), starts)
    sums_D2 = _resampled_sums(pair_N2, random, n_resamples)
    return _percentile_interval(sums_D2[:, 0] / sums_D2[:, 1])


def _sums_of_groups(values_NK: Floats, groups_N: Integers) -> Floats:
    """Return the sums of the rows of each group, the group that comes first in front."""
    _, first_G, place_N = np.unique(groups_N, return_index=True, return_inverse=True)
    sums_GK: Floats = np.zeros((len(first_G), values_NK.shape[1]))
    np.add.at(sums_GK, place_N, values_NK)
    return sums_GK[np.argsort(first_G)]


def _jackknife_interval(pair_N2: Floats, *, signed: bool) -> Interval:
    """Return the t interval of a ratio of sums, by the jackknife: its error is that of the ratios without one record.

    That of a positive ratio that is not signed, such as a loss, is the interval of its logarithm, and so positive too.

    Source: Efron & Tibshirani 1993, chapter 11.
    """
    numerator, denominator = pair_N2.sum(0)
    ratio, n = numerator / denominator, len(pair_N2)
    change_N = (pair_N2[:, 0] - ratio * pair_N2[:, 1]) / np.maximum(denominator - pair_N2[:, 1], _TINY)
    half = t_quantile(n - 1) * math.sqrt((n - 1) / n * float((change_N**2).sum()))
    if not signed and pair_N2.min() >= 0 < ratio:
        factor = math.exp(min(half / ratio, 700.0))
        return float(ratio / factor), float(ratio * factor)
    return float(ratio - half), float(ratio + half)


def difference(
    first_N: Floats,
    second_N: Floats,
    strata: tuple[Integers, Integers],
    groups: tuple[Integers, Integers] | None = None,
) -> tuple[float, Interval]:
    """Return mean(first) - mean(second) at equal strata, and its 95% interval, each side resampled alone.

    The interval is that of percentiles; with fewer than 50 texts of a kind, Student's t interval. The number of texts
    is the effective one, since those of the second kind have weights: (sum of weights)^2 / sum of their squares.

    Source: Kish 1965, Survey Sampling, 11.7 (effective number).

    Args:
        first_N: a measurement of each text of one kind.
        second_N: the same of another kind; the number may differ.
        strata: the stratum of each text of either kind; the second kind has texts in all of them. Those of the second
            kind have the weights that make its strata as frequent as those of the first.
        groups: the group of each text of either kind, such as the long text that it is a piece of: texts of a group
            count as one; None: each is one of its own.

    Returns:
        The difference; and the lower and the upper end, both NaN where a kind has fewer than two groups.
    """
    first_groups_N, second_groups_N = groups or (np.arange(len(first_N)), np.arange(len(second_N)))
    frequent_S = np.bincount(strata[0], minlength=int(strata[1].max()) + 1) / len(first_N)
    sizes_S = np.maximum(np.bincount(strata[1], minlength=len(frequent_S)), 1)
    means_S = np.bincount(strata[1], second_N, len(frequent_S)) / sizes_S
    gaps_N = first_N - means_S[strata[0]]
    value = float(gaps_N.mean())
    all_same_N = np.zeros(len(first_N), dtype=np.int64)
    parts = (
        _influences(gaps_N - value, all_same_N, np.full(len(first_N), 1 / len(first_N)), first_groups_N),
        _influences(second_N - means_S[strata[1]], strata[1], (frequent_S / sizes_S)[strata[1]], second_groups_N),
    )
    if min(len(influence_G) for influence_G, _ in parts) < 2:
        return value, (math.nan, math.nan)
    if (fewest := min(effective for _, effective in parts)) < _FEW_UNITS:
        half = t_quantile(max(1, round(fewest) - 1)) * math.sqrt(sum(float((one_G**2).sum()) for one_G, _ in parts))
        return value, (value - half, value + half)
    random = np.random.default_rng(0)
    gaps_D, noise_D = (_resampled_sums(influence_G[:, None], random, N_RESAMPLES)[:, 0] for influence_G, _ in parts)
    return value, _percentile_interval(value + gaps_D - noise_D)


def _influences(
    deviations_N: Floats, strata_N: Integers, weights_N: Floats, groups_N: Integers
) -> tuple[Floats, float]:
    """Return what each group adds to the error of a weighted mean, and the effective number of groups.

    The squares of what they add sum to the variance of the mean, without bias where each text is a group of its own.

    Args:
        deviations_N: the measurement of each text minus the mean of its stratum.
        strata_N: the stratum of each text.
        weights_N: the weight of each text, 1 in total.
        groups_N: the group of each text.
    """
    pairs = np.unique(np.stack((strata_N, groups_N)), axis=1)
    n_groups_S = np.bincount(pairs[0])
    unbiased_S = np.sqrt(n_groups_S / np.maximum(n_groups_S - 1, 1))
    sums_G2 = _sums_of_groups(np.stack((weights_N * deviations_N * unbiased_S[strata_N], weights_N), 1), groups_N)
    return sums_G2[:, 0], float(weights_N.sum() ** 2 / (sums_G2[:, 1] ** 2).sum())


def length_strata(first_N: Integers, second_N: Integers, least: int) -> tuple[Integers, Integers]:
    """Return a stratum by its length for each text of two kinds.

    Args:
        first_N: lengths of texts of one kind.
        second_N: those of the other, of which each stratum has at least ``least``, or all.
        least: that number.
    """
    ordered_N = np.sort(second_N)
    edges, start = [], 0
    while len(ordered_N) - start >= 2 * least:
        start = int(np.searchsorted(ordered_N, ordered_N[start + least - 1], side="right"))
        if len(ordered_N) - start >= least:
            edges.append(ordered_N[start])
    return np.searchsorted(edges, first_N, side="right"), np.searchsorted(edges, second_N, side="right")


def share_interval(hits: int, n: int) -> Interval:
    """Return Wilson's 95% interval of a proportion with ``hits`` successes in ``n`` trials; (0, 1) if n is 0."""
    if not n:
        return 0.0, 1.0
    share, z2 = hits / n, _NORMAL_975**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _NORMAL_975 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return middle - half if hits else 0.0, middle + half if hits < n else 1.0  # exact there, not rounded


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


def t_quantile(freedom: int) -> float:
    """Return the t such that Student's distribution has probability 0.95 between -t and t."""
    low, high = 0.0, _MAX_T
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if central_probability(middle, freedom) < 0.95 else (low, middle)
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
