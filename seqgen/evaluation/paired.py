"""Whether one model is better than another on the same records: their difference, record by record.

Records differ much in how hard they are, and by the same for both models; the difference of each record is free of it.

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
    """How many more bits per character one model needs than another.

    Attributes:
        bits_per_char: the difference over all records.
        low: where its interval begins.
        high: where it ends.
    """

    bits_per_char: float
    low: float
    high: float


def record_nats(model: nn.Module, encoded: Encoded, penalty_V: Tensor, *, batch_size: int = 256) -> Floats:
    """The negative log-likelihood of each record (N,), nats, the stop counted, in the order of the corpus.

    Args:
        model: put in evaluation mode meanwhile.
        encoded: the records.
        penalty_V: what ``penalty`` gives, on the model's device.
        batch_size: records computed together.
    """
    nats_N = np.zeros(len(encoded))
    with evaluation_mode(model):
        for rows_B in evaluation_batches(encoded.lengths_N, batch_size, max(1, len(encoded))):
            batch = encoded.take(rows_B).to(penalty_V.device)
            nats_N[rows_B] = batch_nats(model, batch, penalty_V).cpu().numpy()
    return nats_N


def paired_difference(
    nats_N: Floats, other_N: Floats, chars_N: Integers, *, draws: int = N_RESAMPLES, seed: int = 0
) -> Difference:
    """The difference of two models on the same records, with the 95% percentile interval of a bootstrap over records.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), 13.3.

    Args:
        nats_N: what each record costs the first model.
        other_N: what it costs the second.
        chars_N: characters of each record; its stop counts as one more.
        draws: how many times records are drawn, as many as there are, with replacement.
        seed: of these draws.

    Returns:
        Bits per character, positive where the first model needs more; of one record without an interval (not-a-number).
    """
    gap_N, weight_N = (nats_N - other_N) / math.log(2), chars_N + 1.0
    low, high = ratio_interval(gap_N, weight_N, draws=draws, seed=seed)
    return Difference(float(gap_N.sum() / weight_N.sum()), low, high)
