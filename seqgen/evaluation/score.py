"""How likely a model finds given texts."""

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

_TOGETHER = 256


@dataclass(frozen=True)
class Score:
    """What a model says of a text.

    Attributes:
        text: the text.
        nats: its negative log-likelihood, the stop counted if texts end.
        bits_per_char: the same in bits per character, the stop counted as one.
        nats_per_symbol: what each symbol cost, the stop last.
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
        model: put in evaluation mode meanwhile.
        vocabulary: its symbols.
        texts: what to score.
        given: the values of conditions under which they are scored.

    Raises:
        UnknownSymbol: a text holds a symbol that the vocabulary does not know.
        UsageError: a condition or value that is not known.
    """
    scores: list[Score] = []
    with evaluation_mode(model):
        for start in range(0, len(texts), _TOGETHER):
            scores += _score_together(model, vocabulary, texts[start : start + _TOGETHER], given or {})
    return scores


def _score_together(
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
    chosen_BT = log_probs(logits_BTV, allowed_V).gather(-1, batch.targets_BT[..., None])[..., 0]
    costs_BT = torch.where(batch.targets_BT == PAD, 0.0, -chosen_BT).double().cpu()
    n_slots, n_stops = encoded.n_slots, int(vocabulary.ends)  # a window of a long text has no stop
    return [
        Score(text, sum(costs), bits_per_char(sum(costs), len(text), n_stops), tuple(costs))
        for text, length, row in zip(texts, lengths_N, costs_BT, strict=True)
        for costs in [row[n_slots : n_slots + length - 2 + n_stops].tolist()]
    ]
