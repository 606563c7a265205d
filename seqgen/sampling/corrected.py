"""Rows of the model under a constraint: sampled with look-ahead, then corrected by rejection.

The target is the model's distribution, after all decoding steps, of rows that satisfy the constraint. A row is sampled
from the proposal q(v) = p(v) h(v) / Z with Z = sum over v of p(v) h(v) at each step (``look_ahead``), and its weight is

    w = p(row) / q(row) = product over steps of Z / h(v)

of which the mean is the probability that the model satisfies the constraint. A row is kept with probability
min(1, w / M). The bound M is fitted to a pilot, so that the weight above it is a small share of all: this share is by
how much the distribution of the kept rows may differ from the target in total variation. If the n-gram were the model,
all weights would be equal and all rows kept.

Dimension letters: N rows, W rows sampled together, A active rows, C computed rows, V vocabulary.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqgen.protocols import State
from seqgen.sampling.categorical import Uniforms, identity, sample_ids
from seqgen.sampling.look_ahead import POWERS, LookAhead
from seqgen.sampling.row_batch import RowBatch
from seqgen.sampling.sampler import ActiveRows, Sample, Sampler
from seqgen.sampling.steps import DecodingStep, RowConstraint
from seqgen.tokenizers import EOS

Floats = npt.NDArray[np.float64]

MAX_ABOVE = 0.002
"""The share of the weight of a pilot that may lie above the bound where many rows are kept."""
LEAST_KEPT = 0.005
"""The share of rows that is kept at least."""
# Shares of the weight that may lie above the bound, and the shares of rows that have to be kept for it.
_ALLOWED = ((0.0, 0.3), (MAX_ABOVE, 0.05), *((share, LEAST_KEPT) for share in (0.005, 0.01, 0.02, 0.05)), (0.1, 0.0))
_FIRST, _MAX_PILOT = 128, 16384  # rows of a pilot, which is doubled until it is enough
_ENOUGH = 4000  # effective rows: fewer do not show the few rows that weigh very much
_MAX_CHARS = 150_000  # characters after which no more are sampled
_TRIED, _TRIED_CHARS, _TRIED_ABOVE = 512, 30_000, 0.01  # rows and characters that compare powers of h, at such a bound
_ERRORS = 2  # standard errors by which the means of weights of two powers may differ from the true one
_RECOVERED = 1e-4  # share of the weight of trial rows that might be lost because they are given up too early
_MARGIN = math.log(2)  # by which weights may recover more than in the pilot before a row is given up
_REJECTION = 1  # the stream of random numbers by which rows are rejected


class Bound(NamedTuple):
    """The bound that a pilot gives, and what else it says of a proposal.

    Attributes:
        log_bound: log M.
        accepted: the estimated probability that the model satisfies the constraint.
        kept: the estimated share of sampled rows that are kept.
        above: the share of the weight above the bound; of a pilot, above the bound of the other half of its rows, and
            the share of the row that weighs most, which stands for heavier ones that the pilot has not met.
        effective: the effective sample size of the pilot, (sum of w)^2 / sum of w^2, as a share of its rows.
        recovery: how far the weight of a row was below its last value at some symbol before, in nats: rows with all but
            a tiny share of the weight were, with a margin, never further below.
    """

    log_bound: float
    accepted: float
    kept: float
    above: float
    effective: float
    recovery: float = math.inf


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
    )


def fit_any_bound(log_weights_N: Floats) -> Bound | None:
    """Return the bound with the least share of the weight above it of those that keep enough rows, or the last one."""
    for max_above, enough in _ALLOWED:
        bound = fit_bound(log_weights_N, max_above)
        if bound is None or bound.kept >= enough:
            break
    return bound


class LookAheadSampler(Sampler):
    """A sampler of weighted rows that satisfy a constraint.

    Args:
        sampler: of the same rows, under a mask.
        look_ahead: of its constraint.

    Raises:
        Diverged (while sampling): the logits are not finite, or a decoding step leaves no symbol.
    """

    _log_weight_W: Tensor  # of the rows that were sampled last, up to their last symbol
    _lowest_W: Tensor  # the lowest that it was
    _log_h_W: Tensor  # log h after their last symbol

    def __init__(self, sampler: Sampler, look_ahead: LookAhead) -> None:
        vars(self).update(vars(sampler))
        self._look_ahead = look_ahead
        self._bound: Bound | None = None

    @property
    def step_constraint(self) -> RowConstraint:
        """The look-ahead."""
        return self._look_ahead

    def raised(self, power: float) -> Self:
        """Return the sampler with another power of h."""
        other = copy.copy(self)
        other._look_ahead = self._look_ahead.raised(power)
        return other

    def best_power(self, seed: int) -> float:
        """Return the power of h of which most rows of a seed would be kept.

        A power is passed over if its rows satisfy the constraint significantly more rarely, by their mean weight, than
        those of another: it hardly samples some kind of rows.
        """
        kept, tried = dict[float, float](), dict[float, Floats]()
        for power in POWERS:
            other = self.raised(power).reseeded(seed)
            log_weights_N, _, n_chars = other._weigh_rows(0, _FIRST)
            n_rows = min(_TRIED, _TRIED_CHARS * _FIRST // max(n_chars, 1))
            if n_rows >= 2 * _FIRST:
                log_weights_N = np.append(log_weights_N, other._weigh_rows(_FIRST, n_rows)[0])
            bound = fit_bound(log_weights_N, _TRIED_ABOVE)
            kept[power] = 0.0 if bound is None else bound.kept
            tried[power] = log_weights_N
        heaviest = max(float(log_weights_N.max()) for log_weights_N in tried.values())
        if heaviest == -math.inf:
            return POWERS[0]
        likely = {power: _likely_mean(np.exp(log_weights_N - heaviest)) for power, log_weights_N in tried.items()}
        highest = max(lower for lower, _ in likely.values())
        return max(POWERS, key=lambda power: (likely[power][1] >= highest, kept[power]))

    def pilot(self, seed: int, worth: Callable[[Bound], bool] = lambda bound: True) -> Bound | None:
        """Return what rows of a seed say of the proposal; None if all of them are dead ends.

        Args:
            seed: of the rows.
            worth: whether the proposal is of use; where it is not, no more rows are sampled.

        There are more rows where their weights differ more, and fewer where they are long.
        """
        other = self.reseeded(seed)
        log_weights_N, lowest_N = np.empty(0), np.empty(0)
        n_chars = 0
        while True:
            n_rows = max(2 * len(log_weights_N), _FIRST)
            log_weights_W, lowest_W, n_more = other._weigh_rows(len(log_weights_N), n_rows)
            log_weights_N, lowest_N = np.append(log_weights_N, log_weights_W), np.append(lowest_N, lowest_W)
            n_chars += n_more
            bound = fit_any_bound(log_weights_N)
            is_last = n_rows >= _MAX_PILOT or n_chars >= _MAX_CHARS
            if bound is None:
                if is_last:
                    return None
            elif is_last or bound.effective * n_rows >= _ENOUGH or not worth(bound):
                return bound._replace(
                    recovery=_recovery(log_weights_N, lowest_N),
                    above=min(_above_elsewhere(log_weights_N, bound.above) + _heaviest(log_weights_N), 1.0),
                )

    def _weigh_rows(self, start: int, stop: int) -> tuple[Floats, Floats, int]:
        """Return the weights of a range of rows, the lowest values on the way there, and the characters of all."""
        found = [self.weighted(at, min(stop - at, self._width)) for at in range(start, stop, self._width)]
        log_weights, lowest, rows = zip(*found, strict=True)
        return np.concatenate(log_weights), np.concatenate(lowest), sum(map(_count_chars, rows))

    def kept_rows(self, bound: Bound | None) -> Iterator[Sample]:
        """Yield rows without end, each kept with probability min(1, w / M); without a bound, all that come to an end.

        A row that cannot be kept any more, unless its weight rises by more than it did in the pilot, ends at once.
        """
        other = copy.copy(self)
        other._bound = bound
        for start, width in self._growing():
            log_weights_W, _, rows = other.weighted(start, width)
            least_W = -math.inf if bound is None else other._log_uniform_W.cpu().numpy() + bound.log_bound
            kept_W = log_weights_W > least_W
            yield from itertools.compress(rows, kept_W.tolist())

    def weighted(self, start: int, width: int) -> tuple[Floats, Floats, list[Sample]]:
        """Return the logarithms of the weights of rows, the lowest values on the way there, and the rows."""
        rows = list(self._chunk(start, width))
        ended_W = np.array([row.cut for row in rows]) != self.vocabulary.ends
        log_weights_W = np.where(ended_W, self._log_weight_W.cpu().numpy(), -math.inf)
        return log_weights_W, self._lowest_W.cpu().numpy(), rows

    def _sample_batch(self, start: int, width: int) -> RowBatch:
        self._log_weight_W = torch.zeros(width, dtype=torch.double, device=self.device)
        self._log_h_W = torch.zeros_like(self._log_weight_W)
        self._lowest_W = torch.full_like(self._log_weight_W, torch.inf)
        uniform_W = Uniforms(self.settings.seed, start, width, _REJECTION).next()
        self._log_uniform_W = uniform_W.to(self._log_weight_W).log_()
        return super()._sample_batch(start, width)

    def next_ids(
        self, step: DecodingStep, logits_CV: Tensor, state: State, rows: ActiveRows, uniform_W: Tensor
    ) -> Tensor:
        """Return a sampled id for each active row, (A,): the end of rows that are given up."""
        expand: Callable[[Tensor], Tensor] = rows.expand
        given = None
        log_h_CV = self._look_ahead.log_factors(state[2], rows.n_sampled - self.n_slots)
        if self.processors:
            expand = identity
            given = rows.expand(logits_CV), rows.history_AT()[:, self.n_slots :]
            logits_CV, log_h_CV = self.process(*given), rows.expand(log_h_CV)
        else:
            logits_CV = logits_CV.masked_fill(self.forbidden_V, -torch.inf)
        log_target_CV = torch.log_softmax(logits_CV.float(), -1) + log_h_CV
        log_z_C = torch.logsumexp(log_target_CV, -1)
        if bool(log_z_C.isnan().any()):
            self._check_dead_ends(expand(log_z_C).isnan() & rows.unfinished_A(), rows, given)
        ids_A = sample_ids(log_target_CV, rows.of_active(uniform_W), expand)
        return self._weigh(ids_A, expand(log_z_C), expand(log_h_CV), rows)

    def _weigh(self, ids_A: Tensor, log_z_A: Tensor, log_h_AV: Tensor, rows: ActiveRows) -> Tensor:
        """Multiply the weights of rows by Z / h before it; return the ids, with the end in rows that are given up."""
        is_dead_A = ids_A == self.vocabulary.size
        ids_A = ids_A.masked_fill(is_dead_A, EOS)
        unfinished_A, active_A = rows.unfinished_A(), rows.active_A
        before_A = self._log_weight_W[active_A]
        after_A = before_A + log_z_A.double() - self._log_h_W[active_A]
        if self._bound is not None:
            needed_W = self._bound.log_bound + self._log_uniform_W - self._bound.recovery
            is_dead_A |= after_A < needed_W[active_A]
            ids_A = ids_A.masked_fill(is_dead_A, EOS)
        after_A = torch.where(unfinished_A, after_A.masked_fill(is_dead_A, -torch.inf), before_A)
        self._log_weight_W[active_A] = after_A
        self._log_h_W[active_A] = log_h_AV.gather(1, ids_A[:, None])[:, 0].double()
        self._lowest_W[active_A] = torch.minimum(self._lowest_W[active_A], after_A)
        return ids_A


def _likely_mean(weights_N: Floats) -> tuple[float, float]:
    """Return the mean of weights, less and plus some of its standard errors; of one weight nothing is known."""
    mean, error = float(weights_N.mean()), float(weights_N.std()) / math.sqrt(len(weights_N))
    error = error if len(weights_N) > 1 else math.inf
    return mean - _ERRORS * error, mean + _ERRORS * error


def _count_chars(rows: list[Sample]) -> int:
    return sum(len(row.text) for row in rows)


def _above_elsewhere(log_weights_N: Floats, max_above: float) -> float:
    """Return the mean share of the weight of each half of the rows above the bound that the other half gives."""
    found = []
    log_weights_N = log_weights_N - log_weights_N.max()
    for half in (0, 1):
        bound, weights_N = fit_bound(log_weights_N[half::2], max_above), np.exp(log_weights_N[1 - half :: 2])
        if bound is None or not weights_N.any():
            return 1.0
        found.append(np.maximum(weights_N - math.exp(bound.log_bound), 0).sum() / weights_N.sum())
    return float(np.mean(found))


def _heaviest(log_weights_N: Floats) -> float:
    """Return the share of the weight that the heaviest row has."""
    return 1 / float(np.exp(log_weights_N - log_weights_N.max()).sum())


def _recovery(log_weights_N: Floats, lowest_N: Floats, share: float = _RECOVERED) -> float:
    """Return by how much weights rose from their lowest value, but for rows with a share of all, and a margin."""
    finite_N = log_weights_N > -math.inf
    log_weights_N = log_weights_N[finite_N]
    rise_N = log_weights_N - lowest_N[finite_N]
    order_N = np.argsort(rise_N)
    weights_N = np.exp(log_weights_N - log_weights_N.max())[order_N]
    within = int(np.searchsorted(np.cumsum(weights_N), (1 - share) * weights_N.sum()))
    return float(rise_N[order_N][min(within, len(rise_N) - 1)]) + _MARGIN
