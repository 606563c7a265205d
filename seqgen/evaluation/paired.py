"""Paired comparison of two models on the same records.

Records differ much in difficulty, and in the same way for both models; the difference of each record is free of that.

Dimension letters: B batch, N records, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from seqgen.batches import Encoded, evaluation_batches
from seqgen.evaluation.bootstrap import N_RESAMPLES, ratio_interval
from seqgen.evaluation.record_losses import batch_nats
from seqgen.model import evaluation_mode

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Difference:
    """The difference between two models in bits per character.

    Attributes:
        bits_per_char: the difference over all records.
        low: lower end of its interval.
        high: upper end of its interval.
    """

    bits_per_char: float
    low: float
    high: float


def record_nats(model: nn.Module, encoded: Encoded, penalty_V: Tensor, *, batch_size: int = 256) -> Floats:
    """Return the negative log-likelihood of each record (N,), nats, stops counted, in the order of the corpus.

    Args:
        model: evaluated in evaluation mode.
        encoded: the records.
        penalty_V: the result of ``penalty``, on the model's device.
        batch_size: records computed together.
    """
    nats_N = np.zeros(len(encoded))
    with evaluation_mode(model):
        for rows_B in evaluation_batches(encoded.lengths_N, batch_size, max(1, len(encoded))):
            batch = encoded.take(rows_B).to(penalty_V.device)
            nats_N[rows_B] = batch_nats(model, batch, penalty_V).cpu().numpy()
    return nats_N


def paired_difference(
    nats_N: Floats, other_N: Floats, chars_N: Integers, *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> Difference:
    """Return the difference of two models on the same records, with its 95% percentile bootstrap interval.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), 13.3.

    Args:
        nats_N: loss of each record under the first model, nats.
        other_N: loss under the second model.
        chars_N: characters of each record; its stop counts as one more.
        n_resamples: resamples of the records.
        seed: of the resamples.

    Returns:
        Bits per character, positive where the first model needs more; the interval of a single record is NaN.
    """
    gap_N, weight_N = (nats_N - other_N) / math.log(2), chars_N + 1.0
    low, high = ratio_interval(gap_N, weight_N, n_resamples=n_resamples, seed=seed)
    return Difference(float(gap_N.sum() / weight_N.sum()), low, high)
