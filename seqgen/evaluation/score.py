"""Log-likelihoods of given texts under a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seqgen.batches import Encoded
from seqgen.evaluation.loss import bits_per_char
from seqgen.model import device_of, evaluation_mode, log_probs
from seqgen.tokenizers import EOS, PAD, Vocabulary

_BATCH_SIZE = 256
_STEPS = 16  # batches have a multiple of these steps,
_MULTIPLE = 32  # and of these rows


class Candidate(NamedTuple):
    r"""A symbol that might have come at a position of a text.

    Attributes:
        text: the symbol; "" for the end; the code of a byte that is a part of a character, such as ``\xc3``.
        nats: its negative log-likelihood there.
        ends: whether it is the end.
    """

    text: str
    nats: float
    ends: bool


@dataclass(frozen=True)
class Score:
    """The log-likelihood of a text under a model.

    Attributes:
        text: the text.
        nats: its negative log-likelihood, the end symbol counted if texts end.
        bits_per_char: the same in bits per character, the end symbol counted as one.
        nats_per_symbol: negative log-likelihood of each symbol, the end symbol last.
        top: the most probable symbols at each of these positions, the most probable first, each with ``text``,
            ``nats`` and ``ends``; empty unless asked for.
    """

    text: str
    nats: float
    bits_per_char: float
    nats_per_symbol: tuple[float, ...]
    top: tuple[tuple[Candidate, ...], ...] = ()


def score(
    model: nn.Module,
    vocabulary: Vocabulary,
    texts: Sequence[str],
    given: Mapping[str, str] | None = None,
    top: int = 0,
) -> list[Score]:
    """Score texts, in their order.

    Args:
        model: evaluated in evaluation mode.
        vocabulary: its symbols.
        texts: the texts to score.
        given: values of the conditions, by name.
        top: number of the most probable symbols of each position to return.

    Raises:
        UnknownSymbol: a text contains a symbol that the vocabulary lacks.
        UsageError: an unknown condition or value.
    """
    scores: dict[int, Score] = {}
    with evaluation_mode(model):
        for n_steps, numbers in _alike(texts, vocabulary):
            chunk = [texts[number] for number in numbers]
            scores.update(zip(numbers, _score_batch(model, vocabulary, chunk, given or {}, n_steps, top), strict=True))
    return [scores[number] for number in range(len(texts))]


def _alike(texts: Sequence[str], vocabulary: Vocabulary) -> Iterator[tuple[int, list[int]]]:
    """Yield numbers of texts to score together, and the steps to pad them to.

    Both sizes of a batch are multiples, and the steps follow from each text alone: so its score has the same bits
    whatever texts are scored with it.
    """
    by_steps: dict[int, list[int]] = {}
    for number, length in enumerate(vocabulary.frame_many(texts)[1].tolist()):
        by_steps.setdefault(-(-length // _STEPS) * _STEPS, []).append(number)
    for n_steps, numbers in sorted(by_steps.items()):
        for start in range(0, len(numbers), _BATCH_SIZE):
            yield n_steps, numbers[start : start + _BATCH_SIZE]


def _score_batch(
    model: nn.Module, vocabulary: Vocabulary, texts: Sequence[str], given: Mapping[str, str], n_steps: int, top: int
) -> list[Score]:
    flat, lengths_N = vocabulary.frame_many(texts)
    chars_N = np.fromiter(map(len, texts), np.int64, len(texts))
    conditions_NC = vocabulary.condition_ids([given] * len(texts)) if vocabulary.slots else None
    encoded = Encoded(flat, np.cumsum(lengths_N) - lengths_N, lengths_N, chars_N, conditions_NC)
    device = device_of(model)
    rows_B = np.minimum(np.arange(-(-len(texts) // _MULTIPLE) * _MULTIPLE), len(texts) - 1)  # the last one repeated
    batch = encoded.take(rows_B, lambda _: n_steps + encoded.n_slots).to(device)
    logits_BTV, _ = model(batch.ids_BT, model.initial_state(len(rows_B)))  # type: ignore[operator]
    allowed_V = torch.from_numpy(vocabulary.allowed_V()).to(device)
    log_prob_BTV = log_probs(logits_BTV, allowed_V)
    log_prob_BT = log_prob_BTV.gather(-1, batch.targets_BT[..., None])[..., 0]
    nats_BT = torch.where(batch.targets_BT == PAD, 0.0, -log_prob_BT).double().cpu()
    n_slots, n_stops = encoded.n_slots, int(vocabulary.ends)  # a window of a long text has no stop
    top_BTK = torch.topk(log_prob_BTV, min(top, int(allowed_V.sum())), -1) if top else None
    scores = []
    for row, (text, length) in enumerate(zip(texts, lengths_N.tolist(), strict=True)):
        where = slice(n_slots, n_slots + length - 2 + n_stops)
        nats = nats_BT[row, where].tolist()
        best = () if top_BTK is None else _candidates(vocabulary, top_BTK[0][row, where], top_BTK[1][row, where])
        bits = bits_per_char(sum(nats), len(text), n_stops)
        scores.append(Score(text, sum(nats), bits, tuple(nats), best))
    return scores


def _candidates(vocabulary: Vocabulary, log_prob_TK: Tensor, ids_TK: Tensor) -> tuple[tuple[Candidate, ...], ...]:
    """Return the symbols of some ids with their negative log-likelihoods."""
    return tuple(
        tuple(
            Candidate("" if index == EOS else vocabulary.symbol_text(index), -log_prob, index == EOS)
            for log_prob, index in zip(log_probs_K, ids_K, strict=True)
        )
        for log_probs_K, ids_K in zip(log_prob_TK.double().tolist(), ids_TK.tolist(), strict=True)
    )
