"""Log-likelihoods of given texts under a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from seqgen.batches import Encoded
from seqgen.evaluation.loss import bits_per_char
from seqgen.model import device_of, evaluation_mode, log_probs
from seqgen.tokenizers import PAD, Vocabulary

_BATCH_SIZE = 256


@dataclass(frozen=True)
class Score:
    """The log-likelihood of a text under a model.

    Attributes:
        text: the text.
        nats: its negative log-likelihood, the stop counted if texts end.
        bits_per_char: the same in bits per character, the stop counted as one.
        nats_per_symbol: negative log-likelihood of each symbol, the stop last.
    """

    text: str
    nats: float
    bits_per_char: float
    nats_per_symbol: tuple[float, ...]


def score(
    model: nn.Module, vocabulary: Vocabulary, texts: Sequence[str], given: Mapping[str, str] | None = None
) -> list[Score]:
    """Score texts, in their order.

    Args:
        model: evaluated in evaluation mode.
        vocabulary: its symbols.
        texts: the texts to score.
        given: values of the conditions, by name.

    Raises:
        UnknownSymbol: a text contains a symbol that the vocabulary lacks.
        UsageError: an unknown condition or value.
    """
    scores: list[Score] = []
    with evaluation_mode(model):
        for start in range(0, len(texts), _BATCH_SIZE):
            scores += _score_batch(model, vocabulary, texts[start : start + _BATCH_SIZE], given or {})
    return scores


def _score_batch(
    model: nn.Module, vocabulary: Vocabulary, texts: Sequence[str], given: Mapping[str, str]
) -> list[Score]:
    flat, lengths_N = vocabulary.frame_many(texts)
    chars_N = np.fromiter(map(len, texts), np.int64, len(texts))
    conditions_NC = vocabulary.condition_ids([given] * len(texts)) if vocabulary.slots else None
    encoded = Encoded(flat, np.cumsum(lengths_N) - lengths_N, lengths_N, chars_N, conditions_NC)
    device = device_of(model)
    batch = encoded.take(np.arange(len(texts))).to(device)
    logits_BTV, _ = model(batch.ids_BT, model.initial_state(len(texts)))  # type: ignore[operator]
    allowed_V = torch.from_numpy(vocabulary.allowed_V()).to(device)
    log_prob_BT = log_probs(logits_BTV, allowed_V).gather(-1, batch.targets_BT[..., None])[..., 0]
    nats_BT = torch.where(batch.targets_BT == PAD, 0.0, -log_prob_BT).double().cpu()
    n_slots, n_stops = encoded.n_slots, int(vocabulary.ends)  # a window of a long text has no stop
    return [
        Score(text, sum(nats), bits_per_char(sum(nats), len(text), n_stops), tuple(nats))
        for text, length, row in zip(texts, lengths_N, nats_BT, strict=True)
        for nats in [row[n_slots : n_slots + length - 2 + n_stops].tolist()]
    ]
