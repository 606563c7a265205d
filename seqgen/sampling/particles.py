"""Particles: rows that are sampled together as one attempt at a row, of which one is chosen (sequential Monte Carlo).

Under a constraint some rows weigh far more than others (``corrected``), and by the time this shows most rows are lost.
An attempt therefore follows K rows, its particles. Where the weights of those that have not ended become too unequal,
these are replaced by as many drawn from among them by weight, all with their mean weight, so that rows without promise
go and others split. At the end one particle is chosen by weight. The attempt weighs

    w = (1 / K) sum over particles k of w_k,        E[w f(chosen)] = sum over rows of p(row) [accepted] f(row)

for every function f, as the weight of a single row does, but varies less: attempts can be rejected by it like rows.
Attempts have nothing to do with one another.

Sources: Doucet and Johansen 2009, A tutorial on particle filtering and smoothing, 3.5 (resampling where the effective
sample size is small) and 4.2 (look-ahead); Andrieu, Doucet and Holenstein 2010, Particle Markov chain Monte Carlo
methods, theorem 2 (the chosen particle and the mean weight); Lew et al. 2023, arXiv:2306.03081 (language models).

Dimension letters: G attempts, K particles of each, W = G K rows, A active rows, T positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqgen.sampling.categorical import Uniforms

_RESAMPLING, _CHOICE = 2, 3  # streams of random numbers
_EFFECTIVE = 0.5  # share of the particles below which the effective number of them calls for resampling


class Particles:
    """The weights of the particles of attempts, and how they go on.

    Args:
        n_particles: K.
        seed: of the random numbers.
        start: the number of the first attempt.
        n_attempts: G.
        device: where rows are computed.

    Attributes:
        log_weight_W: the logarithms of the weights of all particles, attempt by attempt.
        lowest_G: the lowest logarithm of the weight that each attempt has had.
    """

    def __init__(self, n_particles: int, seed: int, start: int, n_attempts: int, device: torch.device) -> None:
        self._shape = n_attempts, n_particles
        self.log_weight_W = torch.zeros(n_attempts * n_particles, dtype=torch.double, device=device)
        self.lowest_G = torch.full((n_attempts,), torch.inf, dtype=torch.double, device=device)
        self._uniforms, self._choices = (Uniforms(seed, start, n_attempts, stream) for stream in (_RESAMPLING, _CHOICE))

    def log_mean_G(self) -> Tensor:
        """Return the logarithms of the weights of the attempts, (G,)."""
        if self._shape[1] == 1:
            return self.log_weight_W
        return torch.logsumexp(self.log_weight_W.view(self._shape), 1) - math.log(self._shape[1])

    def note_lowest(self) -> Tensor:
        """Return the logarithms of the weights of the attempts, after their lowest values were brought up to date."""
        log_mean_G = self.log_mean_G()
        self.lowest_G = torch.minimum(self.lowest_G, log_mean_G)
        return log_mean_G

    def give_up(self, is_lost_G: Tensor) -> None:
        """Give attempts the weight 0."""
        self.log_weight_W = self.log_weight_W.masked_fill(is_lost_G.repeat_interleave(self._shape[1]), -torch.inf)

    def resample(self, unfinished_W: Tensor) -> Tensor | None:
        """Resample the unfinished particles of attempts where their weights are too unequal; they weigh the same then.

        Positions are systematic: one random number for an attempt, and equal steps from there.

        Returns:
            For each particle the one whose place it takes, mostly itself, (W,); None where all go on.
        """
        uniform_G = self._uniforms.next().to(self.log_weight_W)
        unfinished_GK = unfinished_W.view(self._shape)
        n_G = unfinished_GK.sum(1)
        log_GK = self.log_weight_W.view(self._shape).masked_fill(~unfinished_GK, -torch.inf)
        weight_GK, log_most_G = _relative(log_GK)
        sum_G = weight_GK.sum(1)
        is_uneven_G = (sum_G > 0) & (sum_G * sum_G < _EFFECTIVE * n_G * (weight_GK * weight_GK).sum(1))
        if not bool(is_uneven_G.any()):
            return None
        moves_GK = is_uneven_G[:, None] & unfinished_GK
        rank_GK = (unfinished_GK.cumsum(1) - 1).clamp(min=0)
        at_GK = (rank_GK + uniform_G[:, None]) / n_G.clamp(min=1)[:, None]
        first_G = torch.arange(self._shape[0], device=n_G.device) * self._shape[1]
        own_GK = first_G[:, None] + torch.arange(self._shape[1], device=n_G.device)
        drawn_GK = first_G[:, None] + _invert(weight_GK, at_GK)
        log_mean_G = torch.log(sum_G / n_G.clamp(min=1)) + log_most_G
        log_weight_GK = torch.where(moves_GK, log_mean_G[:, None], self.log_weight_W.view(self._shape))
        self.log_weight_W = log_weight_GK.flatten()
        return torch.where(moves_GK, drawn_GK, own_GK).flatten()

    def choose(self) -> Tensor:
        """Return the particle that is chosen for each attempt, by weight, (G,)."""
        first_G = torch.arange(self._shape[0], device=self.log_weight_W.device) * self._shape[1]
        weight_GK, _ = _relative(self.log_weight_W.view(self._shape))
        return first_G + _invert(weight_GK, self._choices.next().to(weight_GK)[:, None])[:, 0]


def _relative(log_GK: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights in units of the largest of each attempt, and the logarithms of these units, 0 if all weigh 0."""
    log_most_G = log_GK.max(1).values
    log_most_G = torch.where(log_most_G == -torch.inf, 0.0, log_most_G)
    return torch.exp(log_GK - log_most_G[:, None]), log_most_G


def _invert(weight_GK: Tensor, at_GN: Tensor) -> Tensor:
    """Return the particles at positions in [0, 1) of the cumulative weights, (G, N); the last if all weigh 0."""
    cumulative_GK = weight_GK.cumsum(1)
    at_GN = (at_GN * cumulative_GK[:, -1:]).contiguous()
    return torch.searchsorted(cumulative_GK, at_GN, right=True).clamp(max=weight_GK.shape[1] - 1)


def follow_back(
    ids_TW: npt.NDArray[np.integer[Any]], replaced: Iterable[tuple[int, Tensor]], chosen_G: Tensor
) -> npt.NDArray[np.integer[Any]]:
    """Return the ids of chosen particles with those of the ones whose place they took, (T, G).

    Args:
        ids_TW: the ids of all, by their place.
        replaced: the positions before which particles were replaced, and by which, (W,); see ``RowBatch.replace``.
        chosen_G: the places of the chosen ones.
    """
    ancestors = {position: ancestor_W.cpu().numpy() for position, ancestor_W in replaced}
    place_G = chosen_G.cpu().numpy()
    found_TG = np.empty((len(ids_TW), len(place_G)), dtype=ids_TW.dtype)
    for position in range(len(ids_TW) - 1, -1, -1):
        found_TG[position] = ids_TW[position, place_G]
        if position in ancestors:
            place_G = ancestors[position][place_G]
    return found_TG
