"""Rows of the model under a constraint: sampled with look-ahead, then corrected by rejection.

The target is the model's distribution, after all decoding steps, of rows that satisfy the constraint. A row is sampled
from the proposal q(v) = p(v) h(v) / Z with Z = sum over v of p(v) h(v) at each step (``look_ahead``, where h(v) has
powers), and its weight is

    w = p(row) / q(row) = product over steps of Z / h(v)

of which the mean is the probability that the model satisfies the constraint. A row is kept with probability
min(1, w / M), with a bound M that trial rows give (``bound``, ``trial``). If the n-gram were the model, all weights
would be equal and all rows kept.

Dimension letters: N rows of several batches, W rows sampled together, A active rows, C computed rows, V vocabulary.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Self

import numpy as np
import torch
from torch import Tensor

from seqgen.protocols import State
from seqgen.sampling.bound import Bound, Floats
from seqgen.sampling.categorical import Uniforms, identity, sample_ids
from seqgen.sampling.look_ahead import LookAhead, Powers
from seqgen.sampling.row_batch import ActiveRows, RowBatch
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.steps import DecodingStep, RowConstraint
from seqgen.tokenizers import EOS

_REJECTION = 1  # the stream of random numbers by which rows are rejected


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
        self._is_guided = False

    @property
    def step_constraint(self) -> RowConstraint:
        """The look-ahead."""
        return self._look_ahead

    @property
    def powers(self) -> tuple[Powers, ...]:
        """Powers of h and of its mean to choose from."""
        return self._look_ahead.powers

    def raised(self, power: float, power_of_mean: float = 0.0) -> Self:
        """Return the sampler with other powers of h and of its mean."""
        other = copy.copy(self)
        other._look_ahead = self._look_ahead.raised(power, power_of_mean)
        return other

    def weigh(self, start: int, stop: int) -> tuple[Floats, Floats, Floats]:
        """Return the logarithms of the weights of rows, their lowest values on the way, and characters, each (N,)."""
        found = [self.weighted(at, min(stop - at, self._width)) for at in range(start, stop, self._width)]
        n_chars_N = [float(len(row.text)) for *_, rows in found for row in rows]
        log_weights, lowest, _ = zip(*found, strict=True)
        return np.concatenate(log_weights), np.concatenate(lowest), np.array(n_chars_N)

    def kept_rows(self, bound: Bound | None) -> Iterator[Sample]:
        """Yield rows without end, each kept with probability min(1, w / M); without a bound, all that come to an end.

        A row that cannot be kept any more, unless its weight rises by more than in the trial, ends at once. Without a
        bound decoding steps see the mask: they may leave a single symbol, which has to be an allowed one.
        """
        other = copy.copy(self)
        other._bound, other._is_guided = bound, bound is None
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
            logits_CV, log_h_CV = rows.expand(logits_CV), rows.expand(log_h_CV)
            if self._is_guided:
                logits_CV = logits_CV.masked_fill(log_h_CV == -torch.inf, -torch.inf)
            given = logits_CV, rows.history_AT()[:, self.n_slots :]
            logits_CV = self.process(*given)
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
