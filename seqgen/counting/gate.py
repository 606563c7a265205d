"""The gate between two predictions that are mixed as a sum: the share of the first, from what is known before a symbol.

    g = sigmoid(w . x),   p = g p_first + (1 - g) p_second

The weights are fitted to held-out symbols, never to training symbols.

Dimension letters: N symbols, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from seqgen.counting.scaling import Scaled, climb

if TYPE_CHECKING:
    from seqgen.protocols import Flags, Floats, Integers


_MAX_SYMBOLS = 10_000  # that a gate is fitted to
_FOLDS, _LEAST_RECORDS = 4, 4  # parts of the held-out records, each left out once, and records of each
_LEAST_SYMBOLS = 200  # that all weights are fitted to: seven names say hardly more than their own letters
_STEPS = 50
_CLOSE = 0.1  # gain of a step, nats, below which fitting ends
_LEAST_BEND = 0.05  # share of the curvature of a logistic regression that is kept
_PIECE = 1 << 14  # symbols whose scores are computed together


@dataclass(frozen=True)
class Observed:
    """The predictions of two models of some symbols, of which a gate gives the share of the first.

    Attributes:
        part_N: log probability that the first model gives to each symbol, nats.
        rest_N: log probability that the second gives to it, nats.
        features_NF: what the gate sees before each symbol, float32.
        record_N: the record of each symbol, from 0.
    """

    part_N: Floats
    rest_N: Floats
    features_NF: Floats
    record_N: Integers

    def take(self, chosen_N: Flags) -> Observed:
        """Return those of some symbols."""
        return Observed(*(part_N[chosen_N] for part_N in vars(self).values()))

    @staticmethod
    def joined(parts: Sequence[Observed]) -> Observed:
        """Return those of several parts, at least one."""
        return Observed(*map(np.concatenate, zip(*(vars(part).values() for part in parts), strict=True)))


def fit_share(observed: Observed, start_F: Floats | None = None) -> Floats:
    """Return the weights (F,) of the largest likelihood under a standard normal prior on the scaled features.

    Without symbols they are 0, which mixes half and half. The maximum is found by Newton's steps with a curvature that
    is kept positive.

    Args:
        observed: held-out symbols.
        start_F: weights near the maximum, which save steps.
    """
    n_features = observed.features_NF.shape[1]
    if not len(observed.features_NF):
        return np.zeros(n_features)
    scaled = Scaled(observed.features_NF)
    x_NF, ratio_N = scaled.x_NF, torch.from_numpy(observed.part_N - observed.rest_N)
    weights_F = torch.zeros(n_features, dtype=torch.float64) if start_F is None else scaled.scale(start_F)
    eye_FF = torch.eye(n_features, dtype=torch.float64)

    def change(weights_F: Tensor, score_N: Tensor) -> Tensor:
        gate_N = torch.sigmoid(score_N)
        share_N = torch.sigmoid(score_N + ratio_N)  # probability that the first part of the mixture made the symbol
        spread_N = gate_N * (1 - gate_N)
        bend_N = torch.maximum(spread_N - share_N * (1 - share_N), _LEAST_BEND * spread_N)
        gradient_F = x_NF.T @ (share_N - gate_N) - weights_F
        step_F: Tensor = torch.linalg.solve((x_NF * bend_N[:, None]).T @ x_NF + eye_FF, gradient_F)
        return step_F

    best_F = climb(partial(_objective, x_NF, ratio_N), change, weights_F, most=_STEPS, close=_CLOSE)
    return scaled.unscale(best_F)


def _objective(x_NF: Tensor, ratio_N: Tensor, weights_F: Tensor) -> tuple[float, Tensor]:
    """Return the logarithm of likelihood and prior, up to a constant, and the scores (N,)."""
    score_N = x_NF @ weights_F
    likelihood = (functional.softplus(score_N + ratio_N) - functional.softplus(score_N)).sum()
    return float(likelihood - 0.5 * weights_F @ weights_F), score_N


def gate_scores(features_NF: Floats, weights_F: Floats) -> Floats:
    """Return w . x of each symbol, (N,) float64; a piece at a time, since all features in float64 take much memory."""
    pieces = (features_NF[start : start + _PIECE] for start in range(0, max(len(features_NF), 1), _PIECE))
    found: Floats = np.concatenate([piece.astype(np.float64) @ weights_F for piece in pieces])
    return found


def scored_nats(observed: Observed, score_N: Floats) -> Floats:
    """Return the loss of each symbol under the mixture, (N,) nats, given w . x of each."""
    part_N = observed.part_N - np.logaddexp(0, -score_N)
    return -np.logaddexp(part_N, observed.rest_N - np.logaddexp(0, score_N))


def cross_fitted(observed: Observed) -> tuple[Floats, Floats]:
    """Return the weights of the gate (F,), and w . x of each symbol (N,) for the loss of new records.

    There, each record has a gate that was fitted to other records. Of many symbols a part is fitted to, of some records
    if there are many; fewer than 200 choose one share for all symbols.

    Args:
        observed: held-out symbols.
    """
    if len(observed.record_N) < _LEAST_SYMBOLS:
        constant_F = np.arange(observed.features_NF.shape[1]) == observed.features_NF.shape[1] - 1
        observed = replace(observed, features_NF=observed.features_NF * constant_F)
    n_symbols, n_records = len(observed.record_N), int(observed.record_N.max(initial=0)) + 1
    every = max(min(-(-n_symbols // _MAX_SYMBOLS), n_records // (_LEAST_RECORDS * _FOLDS)), 1)
    thin = max(n_symbols // every // _MAX_SYMBOLS, 1)
    fitted_N = (observed.record_N % every == 0) & (np.arange(n_symbols) % thin == 0)
    weights_F = fit_share(observed.take(fitted_N))
    score_N = gate_scores(observed.features_NF, weights_F)
    fold_N = np.where(fitted_N, observed.record_N // every % _FOLDS, -1)
    for fold in range(_FOLDS):
        inside_N = fold_N == fold
        if inside_N.any():
            others_F = fit_share(observed.take(fitted_N & ~inside_N), weights_F)
            score_N[inside_N] = gate_scores(observed.features_NF[inside_N], others_F)
    return weights_F, score_N
