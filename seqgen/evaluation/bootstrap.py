"""How sure a figure is: intervals by resampling, and of shares.

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval); Wilson 1927,
doi:10.1080/01621459.1927.10502953 (score interval of a share).

Dimension letters: N records, D draws.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.number[Any]]
    Floats = npt.NDArray[np.float64]

Interval = tuple[float, float]
N_RESAMPLES = 2000
"""Resamples of an interval, unless said otherwise."""
_MAX_UNITS = 10_000  # that are resampled; more are summed up in random groups first
_AT_ONCE = 4_000_000  # indices
_NORMAL_975 = 1.959963984540054


def ratio_interval(above_N: Numbers, below_N: Numbers, *, seed: int = 0, draws: int = N_RESAMPLES) -> Interval:
    """The 95% percentile interval of sum(above) / sum(below), records resampled with replacement.

    More than 10,000 records are first summed up in 10,000 random groups: the sum of a group varies as its records do,
    so the interval stays that of the records.

    Args:
        above_N: what each record adds above the line, as its nats.
        below_N: what it adds below, as its characters.
        seed: of the draws.
        draws: D, how often.

    Returns:
        The lower and the upper end; not-a-number both for fewer than two records, which do not tell how much they vary.
    """
    if len(above_N) < 2:
        return math.nan, math.nan
    random = np.random.default_rng(seed)
    pair_N2 = np.stack((above_N, below_N), 1).astype(np.float64)
    if len(pair_N2) > _MAX_UNITS:
        starts = np.linspace(0, len(pair_N2), _MAX_UNITS, endpoint=False).astype(np.int64)
        pair_N2 = np.add.reduceat(random.permutation(pair_N2), starts)
    sums_D2 = _resampled_sums(pair_N2, random, draws)
    return _ends(sums_D2[:, 0] / sums_D2[:, 1])


def difference_interval(first_N: Numbers, second_N: Numbers, *, seed: int = 0, draws: int = N_RESAMPLES) -> Interval:
    """The 95% percentile interval of mean(first) - mean(second), each resampled on its own.

    Args:
        first_N: a figure of each text of one kind.
        second_N: the same of another kind; as many as there are.
        seed: of the draws.
        draws: D, how often.

    Returns:
        The lower and the upper end; not-a-number both where there are fewer than two of a kind.
    """
    if min(len(first_N), len(second_N)) < 2:
        return math.nan, math.nan
    random = np.random.default_rng(seed)
    first_D1, second_D1 = (
        _resampled_sums(np.asarray(values, dtype=np.float64)[:, None], random, draws) / len(values)
        for values in (first_N, second_N)
    )
    return _ends((first_D1 - second_D1)[:, 0])


def share_interval(hits: int, n: int) -> Interval:
    """Wilson's 95% interval of a share of which ``hits`` of ``n`` have been seen; (0, 1) if n is 0."""
    if not n:
        return 0.0, 1.0
    share, z2 = hits / n, _NORMAL_975**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _NORMAL_975 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def binomial_tail(hits: int, n: int, share: float) -> float:
    """The probability of at least ``hits`` of ``n`` when each is one with probability ``share``."""
    if share <= 0 or share >= 1:
        return float(hits <= n * share)
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        + k * math.log(share) + (n - k) * math.log1p(-share)
        for k in range(hits, n + 1)
    ]  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, logs)))


def _resampled_sums(values_NK: Floats, random: np.random.Generator, draws: int) -> Floats:
    """Sums (D, K) over N rows drawn with replacement, a few draws at a time."""
    n, together = len(values_NK), max(1, _AT_ONCE // len(values_NK))
    sums = [
        values_NK[random.integers(0, n, (min(together, draws - start), n))].sum(1)
        for start in range(0, draws, together)
    ]
    return np.concatenate(sums)


def _ends(values_D: Floats) -> Interval:
    low, high = np.quantile(values_D, (0.025, 0.975))
    return float(low), float(high)
