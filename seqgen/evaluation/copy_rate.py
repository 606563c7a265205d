"""The share of a model's samples that would repeat a training record, from the records' own probabilities."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor, nn

from seqgen.batches import Encoded
from seqgen.evaluation.record_losses import batch_nats
from seqgen.model import evaluation_mode

_TOGETHER = 256  # records


def expected_copies(model: nn.Module, encoded: Encoded, penalty_V: Tensor) -> float:
    """Return the probability that a sample is one of the records, 0 to 1; with conditions, of the same values.

    It is exact: the sum of the probabilities of the different records, each set of conditions weighted by how often
    it occurs.

    Args:
        model: put in evaluation mode meanwhile.
        encoded: the records, few of them.
        penalty_V: what ``penalty`` gives, on the model's device.
    """
    order = np.arange(len(encoded))
    with evaluation_mode(model):
        nats = [
            batch_nats(model, encoded.take(order[first : first + _TOGETHER]).to(penalty_V.device), penalty_V)
            for first in range(0, len(order), _TOGETHER)
        ]
    chances = (-torch.cat(nats).double()).exp().tolist()
    flat, given_NC = np.asarray(encoded.flat), encoded.conditions_NC
    ends_N = encoded.starts_N + encoded.lengths_N
    texts = [flat[start:end].tobytes() for start, end in zip(encoded.starts_N, ends_N, strict=True)]
    given = [b"" if given_NC is None else given_NC[row].tobytes() for row in range(len(order))]
    occurring, chance_of = Counter(given), dict(zip(zip(given, texts, strict=True), chances, strict=True))
    weighted = [occurring[values] * float(chance) for (values, _), chance in chance_of.items()]
    return sum(weighted) / max(1, len(order))
