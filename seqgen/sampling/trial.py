"""Trials of look-ahead: rows of one seed, whose weights say by which powers of h, particles and bound rows are sampled.

Dimension letters: N rows, or attempts of several particles.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from seqgen.sampling.bound import Bound, Floats, fit_any_bound, fit_bound, with_trial
from seqgen.sampling.corrected import LookAheadSampler
from seqgen.sampling.look_ahead import Powers

_FIRST, _MAX_ROWS = 128, 16384  # rows of a trial, which is doubled until it is enough
_ENOUGH = 4000  # effective rows: fewer do not show the few rows that weigh very much
_MAX_CHARS = 150_000  # characters after which no more are sampled
_TRIED, _TRIED_CHARS, _TRIED_ABOVE = 512, 30_000, 0.01  # rows and characters that compare powers of h, at such a bound
PARTICLES = (8, 32)
"""Numbers of particles that are tried, in this order, where single rows keep too few or differ too much."""
_LOOSE = 2048  # rows from which a trial whose bound leaves too much above it is broken off
_FEWEST = 64  # attempts of particles in a trial
_ERRORS = 2  # standard errors by which the means of weights of two powers may differ from the true one


class Trial:
    """The rows of a seed, each sampled once.

    Args:
        sampler: with look-ahead.
        seed: of the rows.
    """

    def __init__(self, sampler: LookAheadSampler, seed: int) -> None:
        self._sampler = sampler.reseeded(seed)
        self._found = [np.empty(0)] * 3

    def first(self, n_rows: int) -> tuple[Floats, Floats, float]:
        """Return the log weights of the first rows, the lowest values on the way there, and the characters of all."""
        if (n_found := len(self._found[0])) < n_rows:
            more = self._sampler.weigh(n_found, n_rows)
            self._found = [np.append(*both) for both in zip(self._found, more, strict=True)]
        log_weights_N, lowest_N, n_chars_N = (values_N[:n_rows] for values_N in self._found)
        return log_weights_N, lowest_N, float(n_chars_N.sum())

    def bound(self, worth: Callable[[Bound], bool] = lambda bound: True, *, patient: bool = True) -> Bound | None:
        """Return what the rows say of the proposal; None if all of them are dead ends.

        There are more rows where their weights differ more, and fewer where they are long.

        Args:
            worth: whether the proposal is of use; where it is not, no more rows are sampled.
            patient: whether to go on where many rows say that too much weight lies above any bound that keeps enough.
        """
        n_particles = self._sampler.n_particles
        n_rows, n_chars, bound = 0, 0.0, None
        while n_rows * n_particles < _MAX_ROWS and n_chars * n_particles < _MAX_CHARS:
            n_rows = max(2 * n_rows, _FIRST if n_particles == 1 else _FEWEST)
            log_weights_N, lowest_N, n_chars = self.first(n_rows)
            bound = fit_any_bound(log_weights_N)
            if bound is None:
                continue
            bound = bound._replace(n_particles=n_particles, n_chars=n_chars / n_rows)
            if bound.effective * n_rows >= _ENOUGH or not worth(bound):
                break
            if not patient and n_rows >= _LOOSE and not bound.is_tight:
                break
        return None if bound is None else with_trial(bound, log_weights_N, lowest_N)

    def n_to_compare(self) -> int:
        """Return how many rows compare powers of h; there are fewer where they are long."""
        n_rows = int(_TRIED_CHARS * _FIRST // max(self.first(_FIRST)[2], 1))
        return min(_TRIED, n_rows) if n_rows >= 2 * _FIRST else _FIRST


def best_bound(sampler: LookAheadSampler, seed: int, worth: Callable[[Bound], bool]) -> tuple[Powers, Bound | None]:
    """Return the powers and the bound, with its number of particles, by which rows are sampled.

    Single rows are kept or rejected where little of their weight is above the bound. Else it is the number of particles
    that loses least by error and cost, of those that are worth it.

    Args:
        sampler: with look-ahead.
        seed: of the trial rows.
        worth: whether a bound is of use.
    """
    powers, trial = best_powers(sampler, seed)
    single = trial.bound(worth, patient=False)
    if single is None or (single.is_tight and worth(single)):
        return powers, single
    found = [single] if worth(single) else []
    perfect = single._replace(kept=1.0)  # it is worth it unless the constraint is satisfied too rarely
    for n_particles in PARTICLES:
        if worth(perfect) and not worth(perfect._replace(n_particles=n_particles)):
            break  # free rows satisfy it so often that not even particles which were all kept would be worth it
        bound = Trial(sampler.raised(*powers).with_particles(n_particles), seed).bound(worth)
        if bound is not None and worth(bound):
            found.append(bound)
            if bound.is_tight:
                break
    best = min(found, key=lambda bound: bound.loss, default=single)
    return powers, trial.bound(worth) if best is single else best


def best_powers(sampler: LookAheadSampler, seed: int) -> tuple[Powers, Trial]:
    """Return the powers of h and of its mean of which most rows of a seed would be kept, and these rows.

    Powers are passed over if their rows satisfy the constraint significantly more rarely, by their mean weight, than
    those of others: they hardly sample some kind of rows.
    """
    trials = {powers: Trial(sampler.raised(*powers), seed) for powers in sampler.powers}
    n_rows = next(iter(trials.values())).n_to_compare()  # the same for all, sampled at once: each call has a slow end
    tried = {powers: trial.first(n_rows)[0] for powers, trial in trials.items()}
    heaviest = max(float(log_weights_N.max()) for log_weights_N in tried.values())
    if heaviest == -math.inf:
        return next(iter(trials.items()))
    bounds = {powers: fit_bound(log_weights_N, _TRIED_ABOVE) for powers, log_weights_N in tried.items()}
    kept = {powers: 0.0 if bound is None else bound.kept for powers, bound in bounds.items()}
    likely = {powers: _likely_mean(np.exp(log_weights_N - heaviest)) for powers, log_weights_N in tried.items()}
    highest = max(lower for lower, _ in likely.values())
    best = max(trials, key=lambda powers: (likely[powers][1] >= highest, kept[powers]))
    return best, trials[best]


def _likely_mean(weights_N: Floats) -> tuple[float, float]:
    """Return the mean of weights, less and plus some of its standard errors; of one weight nothing is known."""
    mean, error = float(weights_N.mean()), float(weights_N.std()) / math.sqrt(len(weights_N))
    error = error if len(weights_N) > 1 else math.inf
    return mean - _ERRORS * error, mean + _ERRORS * error
