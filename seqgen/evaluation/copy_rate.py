"""The exact probability that a sample repeats a training record."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor, nn

from seqgen.batches import Encoded
from seqgen.evaluation.record_losses import batch_nats
from seqgen.model import evaluation_mode

_BATCH_SIZE = 256  # records


def expected_copies(model: nn.Module, encoded: Encoded, penalty_V: Tensor) -> float:
    """Return the probability that a sample equals one of the records, 0 to 1; conditions count as part of a record.

    It is exact: the sum of the probabilities of the distinct records, each set of conditions weighted by its frequency.

    Args:
        model: evaluated in evaluation mode.
        encoded: the records, a small number.
        penalty_V: the result of ``penalty``, on the model's device.
    """
    order = np.arange(len(encoded))
    with evaluation_mode(model):
        nats = [
            batch_nats(model, encoded.take(order[first : first + _BATCH_SIZE]).to(penalty_V.device), penalty_V)
            for first in range(0, len(order), _BATCH_SIZE)
        ]
    probabilities = (-torch.cat(nats).double()).exp().tolist()
    flat, conditions_NC = np.asarray(encoded.flat), encoded.conditions_NC
    ends_N = encoded.starts_N + encoded.lengths_N
    texts = [flat[start:end].tobytes() for start, end in zip(encoded.starts_N, ends_N, strict=True)]
    conditions = [b"" if conditions_NC is None else conditions_NC[row].tobytes() for row in range(len(order))]
    occurrences, probability_of = (
        Counter(conditions),
        dict(zip(zip(conditions, texts, strict=True), probabilities, strict=True)),
    )
    weighted = [occurrences[values] * float(probability) for (values, _), probability in probability_of.items()]
    return sum(weighted) / max(1, len(order))
