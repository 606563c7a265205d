"""Losses of single held-out records, whose sum ``held_out_loss`` returns: what scores and models are compared by.

Records differ much in difficulty, and in the same way for two models; the difference of each record is free of that.

Dimension letters: B batch, T steps, V vocabulary, N records (or windows of a long text).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.batches import Encoded, Stream, evaluation_batches
from seqgen.counting import record_keys
from seqgen.evaluation.intervals import N_RESAMPLES, Interval, ratio_interval
from seqgen.evaluation.loss import batch_logits, held_out_batches, window_logits
from seqgen.model import evaluation_mode
from seqgen.protocols import State
from seqgen.tokenizers import PAD, Vocabulary

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Flags, Floats, Integers

_LEAST_PARTS = 10  # of a long text whose windows are resampled, if it has as many


@dataclass(frozen=True)
class RecordLosses:
    """The losses of held-out records.

    Attributes:
        nats_N: negative log-likelihood of each record, or of each window of a long text, nats.
        chars_N: its characters, the stop counted as one; of a window, as a share of those of the text, since a window
            may end within a character.
        n_targets: symbols of all records, stops counted.
        texts_N: a number for the text of each record, the same for records of the same text; for each window of a long
            text, the same for those of one part of it, of which there are 10 to 32: windows near each other are alike.
    """

    nats_N: Floats
    chars_N: Floats
    n_targets: int
    texts_N: Integers

    @property
    def loss_nats(self) -> float:
        """Mean loss in nats per symbol, stops counted."""
        return float(self.nats_N.sum()) / self.n_targets

    @property
    def bits_per_char(self) -> float:
        """Bits per character, a stop counted as one character."""
        return float(self.nats_N.sum()) / math.log(2) / float(self.chars_N.sum())

    def interval(self) -> Interval:
        """Return the 95% interval of ``bits_per_char`` over distinct texts, or parts of one; NaN for a single one."""
        return ratio_interval(self.nats_N / math.log(2), self.chars_N, groups_N=self.texts_N)


def record_losses(
    model: nn.Module,
    encoded: Encoded | Stream,
    vocabulary: Vocabulary,
    penalty_V: Tensor,
    *,
    most: int = 10**9,
    conditions: Collection[str] | None = None,
    known: Iterable[list[float]] | None = None,
) -> RecordLosses:
    """Return the losses of at most ``most`` records, evenly spaced; of a long text, of each window of 256 symbols.

    Args:
        model: evaluated in evaluation mode.
        encoded: the records, or the text.
        vocabulary: its symbols.
        penalty_V: the result of ``seqgen.evaluation.penalty``, on the model's device.
        most: limit on the records; a long text is read whole.
        conditions: names of the conditions to give to the model; None: all that a record has.
        known: the losses of the records of all batches in their order, by ``losses_of_batches``; None: they are
            computed.
    """
    if isinstance(encoded, Stream):
        return _window_losses(model, encoded, vocabulary, penalty_V)
    batches = list(evaluation_batches(encoded.lengths_N, most))
    if known is None:
        absent_C = None if conditions is None else np.array([name not in conditions for name in vocabulary.slots], bool)
        known = [nats_B.tolist() for nats_B in nats_of_rows(model, encoded, batches, penalty_V, absent_C)]
    rows_N = np.concatenate(batches)
    chars_N = encoded.chars_N[rows_N].astype(np.float64) + 1
    n_targets = int((encoded.lengths_N[rows_N] - 1).sum())
    return RecordLosses(np.concatenate(list(known)), chars_N, n_targets, record_keys(encoded)[rows_N])


def losses_of_batches(
    model: nn.Module, encoded: Encoded, penalty_V: Tensor, first: int, last: int
) -> list[list[float]]:
    """Return the losses of the records of batches ``first`` to ``last - 1`` of ``record_losses``, nats."""
    batches = itertools.islice(evaluation_batches(encoded.lengths_N, 10**9), first, last)
    return [nats_B.tolist() for nats_B in nats_of_rows(model, encoded, batches, penalty_V)]


def nats_of_rows(
    model: nn.Module,
    encoded: Encoded,
    batches: Iterable[npt.NDArray[np.int64]],
    penalty_V: Tensor,
    absent_C: Flags | None = None,
) -> list[Tensor]:
    """Return the losses of the records of each batch, (B,) nats, stops counted.

    Args:
        model: evaluated in evaluation mode.
        encoded: the records.
        batches: the numbers of the records that are computed together.
        penalty_V: the result of ``seqgen.evaluation.penalty``, on the model's device.
        absent_C: the conditions that are not given to the model; None: it gets all that a record has.
    """
    found = []
    with evaluation_mode(model):
        for rows_B in batches:
            absent_BC = None if absent_C is None else np.tile(absent_C, (len(rows_B), 1))
            batch, B = encoded.take(rows_B, absent_BC=absent_BC).to(penalty_V.device), len(rows_B)
            logits_NV, targets_N = batch_logits(model, batch, penalty_V)
            nats_N = functional.cross_entropy(logits_NV, targets_N, ignore_index=PAD, reduction="none").double()
            whole = len(nats_N) == batch.ids_BT.numel()
            at_N = torch.arange(len(nats_N), device=nats_N.device) if whole else batch.at_N
            assert at_N is not None
            found.append(nats_N.new_zeros(B).index_add_(0, at_N % B, nats_N))
    return found


def _window_losses(model: nn.Module, encoded: Stream, vocabulary: Vocabulary, penalty_V: Tensor) -> RecordLosses:
    """Return the losses of the windows of a long text, the first ones of all lanes in front."""
    nats, chars, n_targets, n_chars, B = [np.empty(0)], [np.empty(0)], 0, 0, 1
    state: State = None
    with evaluation_mode(model):
        for window in held_out_batches(encoded, 10**9):
            batch, (B, T) = window.to(penalty_V.device), window.targets_BT.shape
            logits_NV, state = window_logits(model, batch, penalty_V, state)
            nats_N = functional.cross_entropy(logits_NV, batch.targets_BT.flatten(), reduction="none").double()
            texts = vocabulary.decode_many(window.targets_BT.flatten().numpy(), np.full(B, T))
            nats.append(nats_N.view(B, T).sum(1).cpu().numpy())
            chars.append(np.array([len(text) for text in texts], dtype=np.float64))
            n_targets += window.n_targets
            n_chars += window.n_chars
    chars_N = np.concatenate(chars)
    if chars_N.any():
        chars_N *= n_chars / chars_N.sum()
    return RecordLosses(np.concatenate(nats), chars_N, n_targets, _parts(len(chars) - 1, B))


def _parts(n_windows: int, n_lanes: int) -> Integers:
    """Return the part of the text that each window stands in: its lane, or a section of it where there are few."""
    n_sections = min(-(-_LEAST_PARTS // n_lanes), n_windows)
    section_W, lane_B = np.arange(n_windows) * n_sections // max(1, n_windows), np.arange(n_lanes)
    return (lane_B * n_sections + section_W[:, None]).flatten()


@dataclass(frozen=True)
class ReferenceScores:
    """The scores of held-out records, in ascending order.

    Attributes:
        part: "test", or "validation" where there is no test part.
        bits_N: bits per character of each record.
    """

    part: str
    bits_N: npt.NDArray[np.float64]

    @classmethod
    def of(cls, costs: RecordLosses, part: str) -> ReferenceScores:
        """Return the scores of records with given losses."""
        return cls(part, np.sort(costs.nats_N / np.log(2) / costs.chars_N))

    def percentile(self, bits_per_char: float) -> float:
        """Return the percentage of records that are less probable per character: 100 means above all of them."""
        return 100 * float((self.bits_N > bits_per_char).mean())


# -- two models on the same records


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


def record_nats(model: nn.Module, encoded: Encoded, penalty_V: Tensor) -> Floats:
    """Return the negative log-likelihood of each record (N,), nats, stops counted, in the order of the corpus.

    Args:
        model: evaluated in evaluation mode.
        encoded: the records.
        penalty_V: the result of ``penalty``, on the model's device.
    """
    batches = list(evaluation_batches(encoded.lengths_N, 10**9))
    nats_N = np.zeros(len(encoded))
    for rows_B, nats_B in zip(batches, nats_of_rows(model, encoded, batches, penalty_V), strict=True):
        nats_N[rows_B] = nats_B.cpu().numpy()
    return nats_N


def paired_difference(
    nats_N: Floats,
    other_N: Floats,
    chars_N: Integers,
    texts_N: Integers | None = None,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Return the difference of two models on the same records, with its 95% percentile bootstrap interval.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), 13.3.

    Args:
        nats_N: loss of each record under the first model, nats.
        other_N: loss under the second model.
        chars_N: characters of each record; its stop counts as one more.
        texts_N: a number for the text of each record: records of the same text are resampled together; None: all
            texts differ.
        n_resamples: resamples of the texts.
        seed: of the resamples.

    Returns:
        Bits per character, positive where the first model needs more; the interval of a single text is NaN.
    """
    gap_N, weight_N = (nats_N - other_N) / math.log(2), chars_N + 1.0
    low, high = ratio_interval(gap_N, weight_N, groups_N=texts_N, signed=True, n_resamples=n_resamples, seed=seed)
    return Difference(float(gap_N.sum() / weight_N.sum()), low, high)
