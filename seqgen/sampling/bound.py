"""The bound of a rejection by weights, and what trial rows say of it.

Rows, or attempts of several particles (``particles``), with weights w are kept with probability min(1, w / M). The
bound M is fitted to the weights of trial rows, so that the weight above it is a small share of all: this share is by
how much the distribution of the kept rows may differ from the target in total variation.

Dimension letters: N rows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MAX_ABOVE = 0.002
"""The share of the weight of trial rows that may lie above the bound where many rows are kept."""
LEAST_KEPT = 0.005
"""The share of rows that is kept at least."""
# Shares of the weight that may lie above the bound, and the shares of rows that have to be kept for it.
_ALLOWED = ((0.0, 0.3), (MAX_ABOVE, 0.05), *((share, LEAST_KEPT) for share in (0.005, 0.01, 0.02, 0.05)), (0.1, 0.0))
_RECOVERED = 1e-4  # share of the weight of trial rows that might be lost because they are given up too early
_COST_OF_PARTICLES = 1.5  # measured with benchmarks/particles.py, where it is 1.5 to 2.3
_MARGIN = math.log(2)  # by which weights may recover more than in the trial before a row is given up


class Bound(NamedTuple):
    """The bound that trial rows give, and what else they say of a proposal.

    Attributes:
        log_bound: log M.
        accepted: the estimated probability that the model satisfies the constraint.
        kept: the estimated share of sampled rows that are kept.
        above: the share of the weight above the bound; of a trial, above the bound of the other half of its rows, and
            the share of the row that weighs most, which stands for heavier ones that the trial has not met.
        effective: the effective sample size of the trial, (sum of w)^2 / sum of w^2, as a share of its rows.
        recovery: how far the weight of a row was below its last value at some symbol before, in nats: rows with all but
            a tiny share of the weight were, with a margin, never further below.
        n_particles: the number of rows that are sampled for each that is kept or rejected.
        is_tight: whether no more than ``MAX_ABOVE`` of the weight of the trial rows is above it.
        n_chars: the mean number of characters of trial rows.
    """

    log_bound: float
    accepted: float
    kept: float
    above: float
    effective: float
    recovery: float = math.inf
    n_particles: int = 1
    is_tight: bool = False
    n_chars: float = 0.0

    @property
    def kept_of_all(self) -> float:
        """The share of all sampled rows, particles included, that are kept."""
        return self.kept / self.n_particles

    @property
    def cost_of_row(self) -> float:
        """The cost of a sampled row, in units of one that is sampled without particles."""
        return 1 if self.n_particles == 1 else _COST_OF_PARTICLES

    @property
    def loss(self) -> float:
        """The squared error of the distribution times the cost of a kept row: of two bounds the lower one is better.

        By the law of large numbers half the error from sampling takes four times the rows, so half the error that the
        bound makes is worth four times their cost.
        """
        return self.above**2 * self.cost_of_row / self.kept_of_all


def fit_bound(log_weights_N: Floats, max_above: float = MAX_ABOVE) -> Bound | None:
    """Return the smallest bound above which lies at most a share of the weight; None if all weights are 0."""
    most = float(log_weights_N.max(initial=-math.inf))
    if most == -math.inf:
        return None
    weights_N = np.sort(np.exp(log_weights_N - most))[::-1]
    total, n = float(weights_N.sum()), len(weights_N)
    # The weight above M is the sum of the k largest weights less k M, where k of them are above M. It falls with M, so
    # M lies below the last weight above which no more than the share lies.
    sums_N, k_N = np.cumsum(weights_N), np.arange(1, n + 1)
    k = int(np.flatnonzero(sums_N - k_N * weights_N <= max_above * total)[-1]) + 1
    bound = float(sums_N[k - 1] - max_above * total) / k
    kept = np.minimum(weights_N, bound).sum()
    return Bound(
        math.log(bound) + most,
        total / n * math.exp(most),
        float(kept) / n / bound,
        1 - float(kept) / total,
        total * total / float((weights_N * weights_N).sum()) / n,
        is_tight=max_above <= MAX_ABOVE,
    )


def fit_any_bound(log_weights_N: Floats) -> Bound | None:
    """Return the bound with the least share of the weight above it of those that keep enough rows, or the last one."""
    for max_above, enough in _ALLOWED:
        bound = fit_bound(log_weights_N, max_above)
        if bound is None or bound.kept >= enough:
            break
    return bound


def with_trial(bound: Bound, log_weights_N: Floats, lowest_N: Floats) -> Bound:
    """Return a bound of ``fit_any_bound`` with all that the trial rows say of it.

    Args:
        bound: the bound.
        log_weights_N: the logarithms of the weights to which it was fitted.
        lowest_N: the lowest values that they had on the way there.
    """
    above = min(above_elsewhere(log_weights_N, bound.above) + heaviest(log_weights_N), 1.0)
    return bound._replace(recovery=recovery(log_weights_N, lowest_N), above=above)


def above_elsewhere(log_weights_N: Floats, max_above: float) -> float:
    """Return the mean share of the weight of each half of the rows above the bound that the other half gives."""
    found = []
    log_weights_N = log_weights_N - log_weights_N.max()
    for half in (0, 1):
        bound, weights_N = fit_bound(log_weights_N[half::2], max_above), np.exp(log_weights_N[1 - half :: 2])
        if bound is None or not weights_N.any():
            return 1.0
        found.append(np.maximum(weights_N - math.exp(bound.log_bound), 0).sum() / weights_N.sum())
    return float(np.mean(found))


def heaviest(log_weights_N: Floats) -> float:
    """Return the share of the weight that the heaviest row has."""
    return 1 / float(np.exp(log_weights_N - log_weights_N.max()).sum())


def recovery(log_weights_N: Floats, lowest_N: Floats, share: float = _RECOVERED) -> float:
    """Return by how much weights rose from their lowest value, but for rows with a share of all, and a margin."""
    finite_N = log_weights_N > -math.inf
    log_weights_N = log_weights_N[finite_N]
    rise_N = log_weights_N - lowest_N[finite_N]
    order_N = np.argsort(rise_N)
    weights_N = np.exp(log_weights_N - log_weights_N.max())[order_N]
    within = int(np.searchsorted(np.cumsum(weights_N), (1 - share) * weights_N.sum()))
    return float(rise_N[order_N][min(within, len(rise_N) - 1)]) + _MARGIN
