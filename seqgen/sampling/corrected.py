"""Rows of the model under a constraint: sampled with look-ahead, then corrected by rejection.

The target is the model's distribution, after all decoding steps, of rows that satisfy the constraint. A row is sampled
from the proposal q(v) = p(v) h(v) / Z with Z = sum over v of p(v) h(v) at each step (``look_ahead``, where h(v) has
powers), and its weight is

    w = p(row) / q(row) = product over steps of Z / h(v)

of which the mean is the probability that the model satisfies the constraint. A row is kept with probability
min(1, w / M), with a bound M that trial rows give (``bound``, ``trial``). If the n-gram were the model, all weights
would be equal and all rows kept. Where they differ much, an attempt at a row samples several and chooses one of them
(``particles``); it has a weight like a row.

Dimension letters: N attempts of several batches, G attempts sampled together, W rows of these, A active rows, C
computed rows, V vocabulary.
"""

from __future__ import annotations

import copy
import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqgen.protocols import State
from seqgen.sampling.bound import Bound, Floats
from seqgen.sampling.categorical import Uniforms, identity, sample_ids
from seqgen.sampling.look_ahead import LookAhead, Powers
from seqgen.sampling.particles import Particles, follow_back
from seqgen.sampling.row_batch import ActiveRows, RowBatch
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.steps import DecodingStep, RowConstraint
from seqgen.tokenizers import EOS

_REJECTION = 1  # the stream of random numbers by which rows are rejected


class LookAheadSampler(Sampler):
    """A sampler of weighted rows that satisfy a constraint; row numbers are those of attempts.

    Args:
        sampler: of the same rows, under a mask.
        look_ahead: of its constraint.

    Raises:
        Diverged (while sampling): the logits are not finite, or a decoding step leaves no symbol.
    """

    _particles: Particles  # of the attempts that were sampled last
    _log_h_W: Tensor  # log h after the last symbol of each
    _log_uniform_G: Tensor  # of the random number by which an attempt is rejected

    def __init__(self, sampler: Sampler, look_ahead: LookAhead) -> None:
        vars(self).update(vars(sampler))
        self._look_ahead = look_ahead
        self._bound: Bound | None = None
        self._is_guided = False
        self._n_particles = 1

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

    def with_particles(self, n_particles: int) -> Self:
        """Return the sampler with as many particles for each attempt."""
        other = copy.copy(self)
        other._n_particles = n_particles
        return other

    @property
    def n_particles(self) -> int:
        """The number of particles for each attempt."""
        return self._n_particles

    def weigh(self, start: int, stop: int) -> tuple[Floats, Floats, Floats]:
        """Return the logarithms of the weights of attempts, their lowest values, and characters, each (N,)."""
        width = max(1, self._width // self._n_particles)
        found = [self.weighted(at, min(stop - at, width)) for at in range(start, stop, width)]
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
        for start, width in self._growing(self._n_particles):
            log_weights_G, _, rows = other.weighted(start, width)
            least_G = -math.inf if bound is None else other._log_uniform_G.cpu().numpy() + bound.log_bound
            kept_G = log_weights_G > least_G
            yield from itertools.compress(rows, kept_G.tolist())

    def weighted(self, start: int, width: int) -> tuple[Floats, Floats, list[Sample]]:
        """Return the logarithms of the weights of attempts, the lowest values on the way there, and the rows."""
        rows = list(self._chunk(start, width))
        log_weights_G = self._particles.log_mean_G().cpu().numpy()
        return log_weights_G, self._particles.lowest_G.cpu().numpy(), rows

    def _sample_ids(self, start: int, width: int) -> npt.NDArray[np.integer[Any]]:
        """Return the ids of the particle that each attempt chooses, (T, G)."""
        n, seed = self._n_particles, self.settings.seed
        self._particles = particles = Particles(n, seed, start, width, self.device)
        self._log_h_W = torch.zeros_like(particles.log_weight_W)
        uniform_G = Uniforms(seed, start, width, _REJECTION).next()
        self._log_uniform_G = uniform_G.to(self._log_h_W).log_()
        with self.inference():
            rows = self._sample_batch(n * start, n * width)
            ids_TW = self._written(rows, n * width)
            if self.vocabulary.ends:
                is_cut_W = torch.from_numpy(~(ids_TW[self.n_slots :] == EOS).any(0)).to(self.device)
                particles.log_weight_W.masked_fill_(is_cut_W, -torch.inf)
            return follow_back(ids_TW, rows.replaced, particles.choose()) if n > 1 else ids_TW

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
        from_A = self._weigh(expand(log_z_C), rows)
        if from_A is not None:  # by then the batch itself expands to the rows that took the place of others
            expand = functools.partial(torch.index_select, dim=0, index=from_A) if self.processors else rows.expand
        ids_A = sample_ids(log_target_CV, rows.of_active(uniform_W), expand)
        return self._end_lost(ids_A, expand(log_h_CV), rows)

    def _weigh(self, log_z_A: Tensor, rows: ActiveRows) -> Tensor | None:
        """Multiply the weights of rows by Z / h before it, and resample; return which active rows go on, if not all."""
        particles, active_A, unfinished_A = self._particles, rows.active_A, rows.unfinished_A()
        before_A = particles.log_weight_W[active_A]
        after_A = before_A + log_z_A.double() - self._log_h_W[active_A]
        particles.log_weight_W[active_A] = torch.where(unfinished_A, after_A, before_A)
        log_mean_G = particles.note_lowest()
        if self._bound is not None:
            particles.give_up(log_mean_G < self._bound.log_bound + self._log_uniform_G - self._bound.recovery)
        if self._n_particles == 1:
            return None
        assert isinstance(rows, RowBatch)
        unfinished_W = torch.zeros_like(particles.log_weight_W, dtype=torch.bool)
        unfinished_W[active_A] = unfinished_A
        ancestor_W = particles.resample(unfinished_W)
        return None if ancestor_W is None else rows.replace(ancestor_W)

    def _end_lost(self, ids_A: Tensor, log_h_AV: Tensor, rows: ActiveRows) -> Tensor:
        """Return the ids, with the end in rows that no symbol continues or that have no weight."""
        log_weight_W, active_A = self._particles.log_weight_W, rows.active_A
        is_dead_A = (ids_A == self.vocabulary.size) | (log_weight_W[active_A] == -torch.inf)
        ids_A = ids_A.masked_fill(is_dead_A, EOS)
        is_lost_A = is_dead_A & rows.unfinished_A()
        log_weight_W[active_A] = log_weight_W[active_A].masked_fill(is_lost_A, -torch.inf)
        self._log_h_W[active_A] = log_h_AV.gather(1, ids_A[:, None])[:, 0].double()
        return ids_A
