"""Losses of single held-out records, whose sum ``held_out_loss`` returns.

Dimension letters: B batch, T steps, V vocabulary, N records (or windows of a long text).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.batches import Batch, Encoded, Stream, evaluation_batches, evaluation_windows
from seqgen.evaluation.loss import batch_logits, window_logits
from seqgen.model import evaluation_mode
from seqgen.protocols import State
from seqgen.tokenizers import PAD, Vocabulary

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_BATCH_SIZE = 256  # records
_LANES, _WINDOW = 32, 256  # of a long text, where a window of a lane counts as a record


@dataclass(frozen=True)
class RecordLosses:
    """The losses of held-out records.

    Attributes:
        nats_N: negative log-likelihood of each record, or of each window of a long text, nats.
        chars_N: its characters, the stop counted as one.
        n_targets: symbols of all records, stops counted.
    """

    nats_N: Floats
    chars_N: Floats
    n_targets: int

    @property
    def loss_nats(self) -> float:
        """Mean loss in nats per symbol, stops counted."""
        return float(self.nats_N.sum()) / self.n_targets

    @property
    def bits_per_char(self) -> float:
        """Bits per character, a stop counted as one character."""
        return float(self.nats_N.sum()) / math.log(2) / float(self.chars_N.sum())


def record_losses(
    model: nn.Module,
    encoded: Encoded | Stream,
    vocabulary: Vocabulary,
    penalty_V: Tensor,
    *,
    most: int = 10**9,
    conditions: Collection[str] | None = None,
) -> RecordLosses:
    """Return the losses of at most ``most`` records, evenly spaced; of a long text, of each window of 256 symbols.

    Args:
        model: evaluated in evaluation mode.
        encoded: the records, or the text.
        vocabulary: its symbols.
        penalty_V: the result of ``seqgen.evaluation.penalty``, on the model's device.
        most: limit on the records; a long text is read whole.
        conditions: names of the conditions to give to the model; None: all that a record has.
    """
    nats, chars, n_targets = [np.empty(0)], [np.empty(0)], 0
    with evaluation_mode(model):
        for nats_B, chars_B, batch in _batches(model, encoded, vocabulary, penalty_V, most, conditions):
            nats.append(nats_B.double().cpu().numpy())
            chars.append(chars_B)
            n_targets += batch.n_targets
    return RecordLosses(np.concatenate(nats), np.concatenate(chars), n_targets)


def _batches(
    model: nn.Module,
    encoded: Encoded | Stream,
    vocabulary: Vocabulary,
    penalty_V: Tensor,
    most: int,
    conditions: Collection[str] | None,
) -> Iterator[tuple[Tensor, Floats, Batch]]:
    """Yield nats and characters of the rows of each batch, with the batch."""
    if isinstance(encoded, Stream):
        state: State = None
        for window in evaluation_windows(encoded, _LANES, _WINDOW, len(encoded)):
            batch = window.to(penalty_V.device)
            nats_B, state = _window_nats(model, batch, penalty_V, state)
            yield nats_B, np.full(len(nats_B), batch.n_chars / len(nats_B)), batch
        return
    absent_C = [conditions is not None and name not in conditions for name in vocabulary.slots]
    for rows_B in evaluation_batches(encoded.lengths_N, _BATCH_SIZE, most):
        absent_BC = np.tile(np.array(absent_C, dtype=bool), (len(rows_B), 1)) if any(absent_C) else None
        batch = encoded.take(rows_B, absent_BC=absent_BC).to(penalty_V.device)
        yield batch_nats(model, batch, penalty_V), encoded.chars_N[rows_B].astype(np.float64) + 1, batch


def batch_nats(model: Any, batch: Batch, penalty_V: Tensor) -> Tensor:
    """Return the sum of ``total_nats`` split by record, (B,)."""
    logits_NV, targets_N = batch_logits(model, batch, penalty_V)
    nats_N = functional.cross_entropy(logits_NV, targets_N, ignore_index=PAD, reduction="none").double()
    at_N = torch.arange(len(nats_N), device=nats_N.device) if len(nats_N) == batch.ids_BT.numel() else batch.at_N
    assert at_N is not None
    B = len(batch.ids_BT)
    return nats_N.new_zeros(B).index_add_(0, at_N % B, nats_N)


def _window_nats(model: Any, batch: Batch, penalty_V: Tensor, state: State) -> tuple[Tensor, State]:
    """Return the sum of ``carried_nats`` split by lane, (B,), and the state at the end."""
    logits_NV, state = window_logits(model, batch, penalty_V, state)
    nats_N = functional.cross_entropy(logits_NV, batch.targets_BT.flatten(), reduction="none").double()
    return nats_N.view(len(batch.ids_BT), -1).sum(1), state
