"""The fit of a gate, whose weights make the exponents of a blend, to held-out symbols.

Dimension letters: N symbols, F features, V ids that can be predicted, G gates, R records, W weights; 2 stands for the
network and the counts, E for these, and then for both among the symbols of words, if they have exponents of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqgen.counting.log_linear import EVEN, INITIAL_GATES, N_FEATURES, N_WEIGHTS, as_gate, mix
from seqgen.counting.scaling import Scaled, climb

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Floats, Integers


_STEPS = 30
_CLOSE = 0.01  # gain of a step, nats, below which fitting ends
_FAR = 4e-3  # gain of a fold's first step, nats a symbol, above which more steps follow
_SHARP_LIMITS = -0.4, 0.4  # of the mean of v . x: on average sharp exponents sum to 1 or more, and b is at most a
_PRECISION, _SHARP_PRECISION = 1000.0, 10_000.0  # of the prior of a scaled weight
_OF_CONSTANT = 50.0  # that of a constant
_FOLDS = 4  # parts of the records, each left out once
LEAST_RECORDS = 4 * _FOLDS
"""Records that a gate is fitted to, if there are as many: some symbols each, where records are long."""
_MAX_SYMBOLS, _LEAST_SYMBOLS, _MAX_PROBABILITIES = 10_000, 100, 400_000  # that a gate is fitted to


@dataclass(frozen=True)
class Predictions:
    """The distributions of the network and of the counts before some symbols.

    Attributes:
        network_NV: log probabilities by the network, nats, at least ``FLOOR``; of the ids that can be predicted.
        ngram_NV: those by the counts.
        target_N: the column of each symbol.
        features_NF: x.
        record_N: the number of each symbol's record.
    """

    network_NV: Tensor
    ngram_NV: Tensor
    target_N: Tensor
    features_NF: Floats
    record_N: Integers

    def take(self, chosen_N: Tensor) -> Predictions:
        """Return those of some symbols, (N,) bool."""
        return Predictions(*(values_N[chosen_N.numpy()] for values_N in vars(self).values()))

    def among(self, word_V: Tensor) -> tuple[Predictions, Tensor]:
        """Return those of the symbols of words, as if there were no others, and which they are, (N,) bool.

        Their probabilities do not sum to 1, which makes no difference to a product of powers.

        Args:
            word_V: True for the symbols of words.
        """
        word_V = word_V.to(self.target_N.device)
        is_word_N = word_V[self.target_N].cpu()
        found = self.take(is_word_N)
        column_V = word_V.cumsum(0) - 1
        network_NV, ngram_NV = found.network_NV[:, word_V], found.ngram_NV[:, word_V]
        return replace(found, network_NV=network_NV, ngram_NV=ngram_NV, target_N=column_V[found.target_N]), is_word_N


@dataclass(frozen=True)
class Gates:
    """A gate fitted to some records, and for each of these one that was fitted to other records.

    Attributes:
        weights_GEF: u and v of each gate: 0 is fitted to all records, the others each to all but a fold.
        fitted_R: the numbers of the records that they are fitted to, ascending.
    """

    weights_GEF: Floats
    fitted_R: Integers

    @classmethod
    def same(cls, weights_EF: npt.ArrayLike) -> Gates:
        """Return one gate for all records."""
        return cls(as_gate(weights_EF)[None], np.empty(0, dtype=np.int64))

    def of_records(self, record_N: Integers) -> Floats:
        """Return the weights for the loss of records as if they were new, (N, E, F)."""
        if not len(self.fitted_R):
            return self.weights_GEF[np.zeros(len(record_N), dtype=np.int64)]
        place_N = np.searchsorted(self.fitted_R, record_N).clip(max=len(self.fitted_R) - 1)
        found: Floats = self.weights_GEF[np.where(self.fitted_R[place_N] == record_N, 1 + place_N % _FOLDS, 0)]
        return found


def most_symbols(n_ids: int) -> int:
    """Return the number of symbols that a gate is fitted to, for a number of ids that can be predicted."""
    return min(_MAX_SYMBOLS, max(_LEAST_SYMBOLS, _MAX_PROBABILITIES // n_ids))


def fit_gate(predictions: Predictions, exponents: str = "fitted") -> Floats:
    """Return u and v (2, F) of the largest likelihood under a normal prior on the scaled weights.

    The logarithm of likelihood and prior is concave, so that Newton's steps, halved where they overshoot, find its
    maximum. The limits of the exponents are left out of it. Without symbols the weights are those of the prior's mean.

    Args:
        predictions: of held-out symbols.
        exponents: a key of ``INITIAL_GATES``, whose first two are the prior's mean; only with "fitted" u is fitted too.
    """
    if not len(predictions.features_NF):
        return as_gate(INITIAL_GATES[exponents])[:2]
    scaled = Scaled(predictions.features_NF)
    return scaled.unscale(_Objective(predictions, scaled.x_NF, exponents).maximum())


class _Objective:
    """The logarithm of likelihood and prior, up to a constant, of weights of scaled features.

    Args:
        predictions: of held-out symbols.
        x_NF: their scaled features.
        exponents: as ``fit_gate`` has it.
    """

    def __init__(self, predictions: Predictions, x_NF: Tensor, exponents: str) -> None:
        self._x_NF, self._sharp = x_NF, exponents != "fitted"
        self._two = predictions.network_NV.double().cpu(), predictions.ngram_NV.double().cpu()
        self._target_N1 = predictions.target_N.cpu()[:, None]
        self._own_N2 = torch.cat([one_NV.gather(1, self._target_N1) for one_NV in self._two], 1)
        precision = _SHARP_PRECISION if self._sharp else _PRECISION
        self._precision_F = torch.full((N_FEATURES,), precision, dtype=torch.float64)
        self._precision_F[-1] = _OF_CONSTANT
        self._mean_2F = torch.from_numpy(as_gate(INITIAL_GATES[exponents])[:2])  # scaling changes no constant
        self._free_W = torch.full((N_WEIGHTS,), not self._sharp)
        self._free_W[N_FEATURES:] = True

    def maximum(self) -> Tensor:
        """Return the weights of the largest value."""

        def change(weights_2F: Tensor, log_probs_NV: Tensor) -> Tensor:
            return self._step(weights_2F, self._slopes(log_probs_NV))[0]

        return self._limited(climb(self._value, change, self._mean_2F, most=_STEPS, close=_CLOSE))

    def without(self, weights_2F: Tensor, parts: list[Tensor]) -> list[tuple[Tensor, float]]:
        """Return weights one of Newton's steps away, for all symbols but those of each part, and the expected gain.

        Args:
            weights_2F: of the largest value for all symbols.
            parts: (N,) bool each.
        """
        slopes = self._slopes(self._value(weights_2F)[1])
        steps = [self._step(weights_2F, slopes, ~part_N) for part_N in parts]
        return [(self._limited(weights_2F + change_2F), gain) for change_2F, gain in steps]

    def _limited(self, weights_2F: Tensor) -> Tensor:
        """Return the weights of scaled features; if exponents are sharp, the constant of v, their mean, has limits."""
        if self._sharp:
            weights_2F = weights_2F.clone()
            weights_2F[1, -1] = weights_2F[1, -1].clamp(*_SHARP_LIMITS)
        return weights_2F

    def _value(self, weights_2F: Tensor) -> tuple[float, Tensor]:
        """Return the objective, and the log probabilities of the mixture (N, V)."""
        log_probs_NV = mix(*self._two, self._x_NF @ weights_2F.T + EVEN)
        likelihood = log_probs_NV.gather(1, self._target_N1).sum()
        prior = (self._precision_F * (weights_2F - self._mean_2F).square()).sum()
        return float(likelihood - 0.5 * prior), log_probs_NV

    def _slopes(self, log_probs_NV: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives of each symbol's log likelihood by both exponents.

        Returns:
            The first ones (N, 2), and the negative of the second ones by a and a, a and b, b and b (N, 3).
        """
        probs_NV = log_probs_NV.exp()
        first_NV, second_NV = (probs_NV * one_NV for one_NV in self._two)
        mean_N2 = torch.stack([first_NV.sum(1), second_NV.sum(1)], 1)
        products = (first_NV, self._two[0]), (first_NV, self._two[1]), (second_NV, self._two[1])
        square_N3 = torch.stack([torch.einsum("nv,nv->n", *pair) for pair in products], 1)
        return self._own_N2 - mean_N2, square_N3 - mean_N2[:, [0, 0, 1]] * mean_N2[:, [0, 1, 1]]

    def _step(
        self, weights_2F: Tensor, slopes: tuple[Tensor, Tensor], chosen_N: Tensor | None = None
    ) -> tuple[Tensor, float]:
        """Return Newton's step, of all symbols or of some, and what a parabola would gain by it."""
        x_NF, (slope_N2, spread_N3) = self._x_NF, slopes
        if chosen_N is not None:
            x_NF, slope_N2, spread_N3 = x_NF[chosen_N], slope_N2[chosen_N], spread_N3[chosen_N]
        gradient_2F = slope_N2.T @ x_NF - self._precision_F * (weights_2F - self._mean_2F)
        first, both, second = ((x_NF * spread_N[:, None]).T @ x_NF for spread_N in spread_N3.unbind(1))
        bend = torch.cat([torch.cat([first, both], 1), torch.cat([both, second], 1)])
        bend += torch.diag(self._precision_F.repeat(2))
        free_W, gradient_W = self._free_W, gradient_2F.flatten()
        change_W = torch.zeros(N_WEIGHTS, dtype=torch.float64)
        change_W[free_W] = torch.linalg.solve(bend[free_W][:, free_W], gradient_W[free_W])
        return change_W.view(2, N_FEATURES), 0.5 * float(gradient_W @ change_W)


def cross_fit(predictions: Predictions, exponents: str = "fitted", word_V: Tensor | None = None) -> Gates:
    """Return a gate that is fitted to all records, and for each fold of them one that is fitted to the others.

    Args:
        predictions: of held-out symbols; not none.
        exponents: as ``fit_gate`` has it.
        word_V: True for the symbols of words, among which both exponents are fitted; None: they have none of their own.
    """
    fitted_R, place_N = np.unique(predictions.record_N, return_inverse=True)
    fold_N, n_folds = torch.from_numpy(place_N % _FOLDS), min(_FOLDS, len(fitted_R))
    weights_GEF = _cross_fitted(predictions, fold_N, n_folds, exponents)
    if word_V is not None:
        of_words, is_word_N = predictions.among(word_V)
        of_words_G2F = _cross_fitted(of_words, fold_N[is_word_N], n_folds, "fitted")
        weights_GEF = np.concatenate((weights_GEF, of_words_G2F), 1)
    return Gates(weights_GEF, fitted_R)


def _cross_fitted(predictions: Predictions, fold_N: Tensor, n_folds: int, exponents: str) -> Floats:
    """Return u and v fitted to all symbols, and for each fold those fitted to the others, (G, 2, F).

    One of Newton's steps leads from the first to that of a fold, unless the fold differs much from the others.
    """
    if not len(predictions.features_NF):
        return np.stack([fit_gate(predictions, exponents)] * (1 + n_folds))
    scaled = Scaled(predictions.features_NF)
    objective = _Objective(predictions, scaled.x_NF, exponents)
    best_2F = objective.maximum()
    folds = [fold_N == fold for fold in range(n_folds)]
    weights = [scaled.unscale(best_2F)]
    for inside_N, (weights_2F, gain) in zip(folds, objective.without(best_2F, folds), strict=True):
        if gain > _FAR * int((~inside_N).sum()):
            weights.append(fit_gate(predictions.take(~inside_N), exponents))
        else:
            weights.append(scaled.unscale(weights_2F))
    return np.stack(weights)
