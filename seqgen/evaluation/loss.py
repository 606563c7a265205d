"""The held-out loss in nats per symbol and in bits per character.

Nats per symbol is the training objective: the mean over all targets, stops counted. Bits per character is comparable
between tokenizers: ``total_nats / ln 2 / (characters + records)``; a stop counts as one character.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.batches import EVALUATION_BATCH, Batch, Encoded, Stream, evaluation_batches, evaluation_windows
from seqgen.model import device_of, evaluation_mode
from seqgen.protocols import State, has_logits_at
from seqgen.tokenizers import PAD, Vocabulary

_LANES, _WINDOW = 32, 256  # of a long text that is evaluated
SYMBOLS_PER_RECORD = 64
"""Symbols of a long text that count as one record."""
MIN_WINDOWS = 8
"""Least number of windows of a long text that are computed one after another; see ``lanes``."""
RECORDS_PER_BATCH: dict[type, int] = {Encoded: EVALUATION_BATCH, Stream: _LANES * _WINDOW // SYMBOLS_PER_RECORD}
"""Records of an evaluation batch; of a long text, the number of records it counts as."""


@dataclass(frozen=True)
class HeldOut:
    """The loss over held-out records.

    Attributes:
        loss_nats: nats per symbol, stops counted.
        bits_per_char: bits per character, a stop counted as one.
        n_records: records evaluated; 0 for a long text.
        n_targets: symbols evaluated, stops counted.
    """

    loss_nats: float
    bits_per_char: float
    n_records: int
    n_targets: int

    def scaled(self, share: float) -> HeldOut:
        """Return the loss of a model that needs so much of the nats for the same records."""
        return replace(self, loss_nats=self.loss_nats * share, bits_per_char=self.bits_per_char * share)


def bits_per_char(nats: float, n_chars: int, n_records: int) -> float:
    """Return the bits per character of records with a total loss of ``nats``, a stop counted as one character."""
    return nats / math.log(2) / max(1, n_chars + n_records)


def penalty(vocabulary: Vocabulary, model: nn.Module | None = None) -> Tensor:
    """Return the additive logit mask (V,) on the model's device: minus infinity for ids that cannot occur, else 0."""
    allowed_V = torch.from_numpy(vocabulary.allowed_V())
    penalty_V = torch.zeros(len(allowed_V)).masked_fill(~allowed_V, -torch.inf)
    return penalty_V if model is None else penalty_V.to(device_of(model))


def total_nats(model: Any, batch: Batch, penalty_V: Tensor) -> Tensor:
    """Return the negative log-likelihood of all targets of a batch, nats, as a differentiable scalar.

    Args:
        model: implements :class:`seqgen.Model`.
        batch: ids and targets.
        penalty_V: the result of ``penalty``.
    """
    logits_NV, targets_N = batch_logits(model, batch, penalty_V)
    return functional.cross_entropy(logits_NV, targets_N, ignore_index=PAD, reduction="sum")


def batch_logits(model: Any, batch: Batch, penalty_V: Tensor) -> tuple[Tensor, Tensor]:
    """Return masked logits (N, V) and targets (N,), time first; a model with ``logits_at`` skips padded positions."""
    state = model.initial_state(len(batch.ids_BT))
    targets_N = batch.targets_BT.t().flatten()
    if not has_logits_at(model):
        logits_NV = model(batch.ids_BT, state)[0].transpose(0, 1).flatten(0, 1)
    else:
        logits_NV = model.logits_at(batch.ids_BT, state, batch.at_N)
        targets_N = targets_N if batch.at_N is None else targets_N[batch.at_N]
    return logits_NV + penalty_V, targets_N


def carried_nats(model: Any, batch: Batch, penalty_V: Tensor, state: State) -> tuple[Tensor, State]:
    """Return ``total_nats`` of a window of a long text that starts from a state, and the state after it.

    Args:
        model: implements :class:`seqgen.Model`.
        batch: ids and targets.
        penalty_V: the result of ``penalty``.
        state: the state after the previous batch; ignored by a batch that does not continue it.
    """
    logits_NV, state = window_logits(model, batch, penalty_V, state)
    return functional.cross_entropy(logits_NV, batch.targets_BT.flatten(), reduction="sum"), state


def window_logits(model: Any, batch: Batch, penalty_V: Tensor, state: State) -> tuple[Tensor, State]:
    """Return masked logits (B T, V) of a window, and the state after it; arguments as for ``carried_nats``."""
    state = state if batch.continues else model.initial_state(len(batch.ids_BT))
    logits_BTV, state = model(batch.ids_BT, state)
    return (logits_BTV + penalty_V).flatten(0, 1), state


def held_out_loss(
    model: nn.Module,
    encoded: Encoded | Stream,
    penalty_V: Tensor,
    *,
    most: int = 10_000,
    check: Callable[[], None] = lambda: None,
    known: Iterable[float] | None = None,
) -> HeldOut:
    """Return the loss over at most ``most`` records, evenly spaced, or over the first 64 * ``most`` symbols of a text.

    Args:
        model: evaluated in evaluation mode.
        encoded: the records, at least one; or a text of at least one symbol.
        penalty_V: the result of ``penalty``, on the model's device.
        most: limit on the records.
        check: called before each batch; may raise to stop.
        known: the losses of all batches in their order, by ``loss_of_batches``; None: they are computed.
    """
    nats, n_targets, n_chars, n_records = 0.0, 0, 0, 0
    state: State = None
    losses: Iterable[float | None] = itertools.repeat(None) if known is None else known
    with evaluation_mode(model):
        for loss, batch in zip(losses, held_out_batches(encoded, most), strict=known is not None):
            if loss is None:
                check()
                here = batch.to(penalty_V.device)
                if isinstance(encoded, Stream):
                    found, state = carried_nats(model, here, penalty_V, state)
                else:
                    found = total_nats(model, here, penalty_V)
                loss = found.item()
            nats += loss
            n_targets += batch.n_targets
            n_chars += batch.n_chars
            n_records += batch.n_records
    return HeldOut(nats / n_targets, bits_per_char(nats, n_chars, n_records), n_records, n_targets)


def loss_of_batches(model: nn.Module, encoded: Encoded, penalty_V: Tensor, first: int, last: int) -> list[float]:
    """Return the loss of batches ``first`` to ``last - 1`` of ``held_out_loss`` over all records, nats."""
    with evaluation_mode(model):
        batches = itertools.islice(held_out_batches(encoded, 10**9), first, last)
        return [total_nats(model, batch.to(penalty_V.device), penalty_V).item() for batch in batches]


def held_out_batches(encoded: Encoded | Stream, most: int) -> Iterator[Batch]:
    """Yield the batches of at most ``most`` records, or the windows of the first 64 * ``most`` symbols of a text."""
    if isinstance(encoded, Stream):
        yield from evaluation_windows(encoded, _LANES, _WINDOW, SYMBOLS_PER_RECORD * most)
        return
    for rows_B in evaluation_batches(encoded.lengths_N, most):
        yield encoded.take(rows_B)
