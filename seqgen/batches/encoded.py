"""Records and long texts encoded into flat arrays, in memory or in files, and batches taken from them.

Dimension letters: B batch, T steps, N records, S symbols of a long text, C conditions of a record.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqgen.corpus import PARTS, Record, Splitter
from seqgen.encoding import MakeSink, RecordArrays, make_memory_sink
from seqgen.errors import UnknownSymbol, UsageError
from seqgen.files.arrays import MappedPages, in_blocks
from seqgen.tokenizers import PAD, Vocabulary

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.files.arrays import CheckedArray
    from seqgen.protocols import Flags, Integers

    Ids = npt.NDArray[np.int64]
    Order = npt.NDArray[np.int64]
    Array = npt.NDArray[Any]


_MAX_TOGETHER = 1 << 18  # ids of batches that are built together
_MAX_PADDED = 1 << 22  # ids of a part that is kept padded in memory
FULL = 0.9  # share of targets below which skipping the padding pays off


class Batch(NamedTuple):  # created three times as fast as a frozen dataclass
    """The input of one step.

    Attributes:
        ids_BT: the input ids, starting with ``BOS``.
        targets_BT: the id after each input; ``PAD`` where nothing is predicted.
        at_N: the flat indices t * B + b of the targets, ascending; None if padding is too rare to be worth skipping.
        n_targets: the number of targets.
        n_chars: the number of characters over all records.
        n_records: B; 0 for windows of a long text, which have no end.
        continues: whether each row continues the row of the previous batch.
        n_steps: the number of steps before the batch was padded further; None: T.
    """

    ids_BT: Tensor
    targets_BT: Tensor
    at_N: Tensor | None
    n_targets: int
    n_chars: int
    n_records: int
    continues: bool = False
    n_steps: int | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        if self.ids_BT.device == device:
            return self
        at_N = None if self.at_N is None else _moved(self.at_N, device)
        return self._replace(
            ids_BT=_moved(self.ids_BT.t(), device).t(), targets_BT=_moved(self.targets_BT.t(), device).t(), at_N=at_N
        )


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device, copied asynchronously to a GPU so that steps overlap with the transfer."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.contiguous().pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class Encoded:
    """The framed ids of records; the arrays may be memory-mapped files.

    Attributes:
        flat: ``BOS symbols EOS`` of every record, concatenated.
        starts_N: the index in ``flat`` at which each record starts.
        lengths_N: the number of ids of each record, with its frame but without conditions.
        chars_N: the number of characters of each record.
        conditions_NC: the condition ids of each record, ``PAD`` for a missing one; None without conditions.
    """

    flat: Integers | CheckedArray
    starts_N: Integers
    lengths_N: Integers
    chars_N: Integers
    conditions_NC: Integers | None = None

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.lengths_N)

    @functools.cached_property
    def longest(self) -> int:
        """Return the number of ids of the longest record, with its frame; 0 without records."""
        return max((int(some_N.max()) for some_N in in_blocks(self.lengths_N)), default=0)

    @functools.cached_property
    def _padded_TN(self) -> Integers | None:
        """Return all records padded with ``PAD``, (T, N), or None if that would be large.

        Batches are taken from it in a third of the time.
        """
        longest = self.longest
        if not longest or longest * len(self) > _MAX_PADDED:
            return None
        padded_NT = np.full((len(self), longest), PAD, dtype=self.flat.dtype)
        padded_NT[np.arange(longest) < self.lengths_N[:, None]] = np.asarray(self.flat)
        return np.ascontiguousarray(padded_NT.T)

    @functools.cached_property
    def _pages(self) -> MappedPages:
        return MappedPages((self.flat, self.starts_N, self.lengths_N, self.chars_N, self.conditions_NC))

    @property
    def n_slots(self) -> int:
        """Return C, the number of condition positions between ``BOS`` and the first symbol."""
        return 0 if self.conditions_NC is None else self.conditions_NC.shape[1]

    def row_bytes(self) -> Iterator[bytes]:
        """Return the ids of each record, with its frame, as bytes."""
        flat, ends_N = np.asarray(self.flat), self.starts_N + self.lengths_N
        pairs = zip(self.starts_N.tolist(), ends_N.tolist(), strict=True)
        return (flat[start:end].tobytes() for start, end in pairs)

    def copy(self, rows_K: Integers) -> Encoded:
        """Return some records, in memory.

        Args:
            rows_K: the indices of the records.
        """
        starts_K, lengths_K = self.starts_N[rows_K].astype(np.int64), self.lengths_N[rows_K].astype(np.int64)
        bounds = zip(starts_K.tolist(), (starts_K + lengths_K).tolist(), strict=True)
        flat = np.concatenate([self.flat[:0], *(np.array(self.flat[start:end]) for start, end in bounds)])
        conditions = None if self.conditions_NC is None else np.array(self.conditions_NC[rows_K])
        chars_K = np.array(self.chars_N[rows_K])
        self._pages.read(len(rows_K))
        return Encoded(flat, np.cumsum(lengths_K) - lengths_K, lengths_K, chars_K, conditions)

    def without_conditions(self) -> Encoded:
        """Return the same records with every condition missing."""
        if self.conditions_NC is None:
            return self
        missing_NC = np.broadcast_to(np.array(PAD, dtype=self.conditions_NC.dtype), self.conditions_NC.shape)
        return Encoded(self.flat, self.starts_N, self.lengths_N, self.chars_N, missing_NC)

    def take(self, rows_B: Order, pad: Callable[[int], int] | None = None, absent_BC: Flags | None = None) -> Batch:
        """Return some records as a batch.

        Args:
            rows_B: the indices of the records.
            pad: maps the number of steps of the longest record to the number to pad to; None for no extra padding.
            absent_BC: mask of the conditions to leave out.
        """
        return self.take_many([rows_B], pad, absent_BC)[0]

    def take_many(
        self, batches: Sequence[Order], pad: Callable[[int], int] | None = None, absent_NC: Flags | None = None
    ) -> list[Batch]:
        """Return what ``take`` returns for each of several batches; short ones are built together at half the cost."""
        rows_N = np.concatenate(batches)
        sizes = [len(rows_B) for rows_B in batches]
        ends = list(itertools.accumulate(sizes))
        starts = [end - size for end, size in zip(ends, sizes, strict=True)]
        lengths_N = self.lengths_N[rows_N]
        longest = np.maximum.reduceat(lengths_N, starts).tolist()
        if len(batches) > 1 and max(longest) * len(rows_N) > _MAX_TOGETHER:
            half = len(batches) // 2
            absent = (None, None) if absent_NC is None else np.split(absent_NC, [starts[half]])
            halves = zip((batches[:half], batches[half:]), absent, strict=True)
            return [batch for some, flags in halves for batch in self.take_many(some, pad, flags)]
        n_own = [steps + self.n_slots for steps in longest]
        n_steps = n_own if pad is None else [pad(steps - 1) + 1 for steps in n_own]
        # Time first in memory, the order in which layers compute.
        framed_TN, is_target_TN = self._frame(rows_N, lengths_N, max(n_steps), absent_NC)
        ids_TN = targets_TN = torch.from_numpy(framed_TN)
        if self.n_slots:
            targets_TN = torch.from_numpy(np.multiply(framed_TN, is_target_TN, order="C"))
        n_ids = np.add.reduceat(lengths_N, starts, dtype=np.int64).tolist()
        n_chars = np.add.reduceat(self.chars_N[rows_N], starts, dtype=np.int64).tolist()
        made, n_all = [], len(rows_N)
        sizes_here = zip(n_own, n_steps, starts, ends, n_ids, n_chars, strict=True)
        for own, steps, start, end, ids_here, chars in sizes_here:
            n_rows, at_N = end - start, None
            if ids_here - n_rows < FULL * (steps - 1) * n_rows:
                at_N = torch.from_numpy(np.flatnonzero(is_target_TN[1:steps, start:end]))
            shape, strides = (n_rows, steps - 1), (1, n_all)
            ids_BT = ids_TN.as_strided(shape, strides, start)
            targets_BT = targets_TN.as_strided(shape, strides, start + n_all)
            before = own - 1 if own < steps else None
            made.append(Batch(ids_BT, targets_BT, at_N, ids_here - n_rows, chars, n_rows, n_steps=before))
        self._pages.read(n_all)
        return made

    def _frame(self, rows_N: Order, lengths_N: Integers, n_steps: int, absent_NC: Flags | None) -> tuple[Ids, Flags]:
        """Return the ids of some records, (T, N), and a mask of those to be predicted (``BOS`` included)."""
        n_steps -= self.n_slots
        if self._padded_TN is not None and n_steps <= len(self._padded_TN):
            ids_TN = self._padded_TN[:n_steps].take(rows_N, axis=1).astype(np.int64)
            inside_TN = ids_TN != PAD
        else:
            steps_T1 = np.arange(n_steps)[:, None]
            inside_TN = steps_T1 < lengths_N
            # Ids beyond a record's end belong to other records: multiplying by zero makes them PAD.
            found_TN = self.flat.take(self.starts_N[rows_N] + steps_T1, mode="clip")
            ids_TN = np.multiply(found_TN, inside_TN, dtype=np.int64)
        if self.conditions_NC is not None:
            given_NC = self.conditions_NC[rows_N].astype(np.int64)
            given_NC = given_NC if absent_NC is None else np.where(absent_NC, PAD, given_NC)
            ids_TN = np.ascontiguousarray(np.concatenate((ids_TN[:1], given_NC.T, ids_TN[1:])))
            inside_TN = np.concatenate((inside_TN[:1], np.zeros(given_NC.T.shape, dtype=bool), inside_TN[1:]))
        return ids_TN, inside_TN


@dataclass(frozen=True)
class Stream:
    """The ids of one long text, without frame.

    Attributes:
        flat_S: the ids of its symbols.
        n_chars: its number of characters.
    """

    flat_S: Integers | CheckedArray
    n_chars: int

    @functools.cached_property
    def _pages(self) -> MappedPages:
        return MappedPages((self.flat_S,))

    def __len__(self) -> int:
        """Return the number of symbols."""
        return len(self.flat_S)

    def window(self, starts_B: Integers, before_B: Integers, n_steps: int, *, continues: bool) -> Batch:
        """Return windows of the same length from some positions, as a batch.

        Args:
            starts_B: the position of the first symbol of each row.
            before_B: the id before each first symbol.
            n_steps: T.
            continues: whether the rows continue those of the previous batch.
        """
        targets_TB = self.flat_S[starts_B + np.arange(n_steps)[:, None]].astype(np.int64)
        self._pages.read(len(starts_B))
        ids_TB = np.concatenate((before_B[None].astype(np.int64), targets_TB[:-1]))
        ends_2B = np.array([starts_B, starts_B + n_steps], dtype=np.int64) * self.n_chars // len(self)
        n_chars = int((ends_2B[1] - ends_2B[0]).sum())  # so that those of windows in a row add up
        ids_BT, targets_BT = torch.from_numpy(ids_TB).t(), torch.from_numpy(targets_TB).t()
        return Batch(ids_BT, targets_BT, None, targets_TB.size, n_chars, 0, continues)


Parts = Mapping[str, Encoded] | Mapping[str, Stream]
"""The encoded parts "train", "valid" and "test", all of one type."""


# -- encoding


def encode(
    records: Iterable[Record],
    vocabulary: Vocabulary,
    splitter: Splitter,
    make_sink: MakeSink = make_memory_sink,
    progress: Callable[[int], None] = lambda n_records: None,
) -> dict[str, Encoded]:
    """Encode the records of a corpus, part by part.

    Args:
        records: the corpus; consumed a few thousand records at a time.
        vocabulary: the vocabulary to encode with.
        splitter: assigns each record to a part.
        make_sink: creates the sinks for the arrays; memory by default.
        progress: called with the number of records done.

    Returns:
        The parts "train", "valid" and "test"; any of them may be empty.

    Raises:
        UsageError: a record contains a symbol that the tokenizer does not know.
    """
    arrays = RecordArrays(vocabulary, make_sink)
    arrays.encode(records, splitter, progress)
    return parts_of(arrays.finish())


def join_encoded(
    encoded: Iterable[Mapping[str, Array]], vocabulary: Vocabulary, make_sink: MakeSink = make_memory_sink
) -> dict[str, Encoded]:
    """Return the parts of a corpus that was encoded in pieces, in order, each as ``RecordArrays.finish`` returns it."""
    arrays = RecordArrays(vocabulary, make_sink)
    for piece in encoded:
        arrays.append(piece)
    return parts_of(arrays.finish())


def parts_of(arrays: Mapping[str, Any]) -> dict[str, Encoded]:
    """Return the parts of a corpus from their arrays, by "train.flat" and so on."""
    kinds = ("flat", "starts", "lengths", "chars", "conditions")
    return {part: Encoded(*(arrays.get(f"{part}.{kind}") for kind in kinds)) for part in PARTS}  # type: ignore[arg-type]


def encode_stream(
    records: Iterable[Record],
    n_chars: int,
    vocabulary: Vocabulary,
    splitter: Splitter,
    make_sink: MakeSink = make_memory_sink,
    progress: Callable[[int], None] = lambda n_records: None,
) -> dict[str, Stream]:
    """Encode one long text into consecutive parts: training, then validation, then test.

    Args:
        records: the pieces of the text, in order.
        n_chars: the number of characters of all pieces.
        vocabulary: the vocabulary to encode with.
        splitter: defines the shares of the parts.
        make_sink: creates the sinks for the arrays; memory by default.
        progress: called with the number of pieces done.

    Raises:
        UsageError: the text contains a symbol that the tokenizer does not know.
    """
    sinks = {part: make_sink(f"{part}.flat", vocabulary.dtype, None) for part in PARTS}
    chars = dict.fromkeys(PARTS, 0)
    for n_done, (cut, text) in enumerate(_cut(records, splitter.ends(n_chars)), 1):
        part = splitter.own_part(cut)
        try:
            flat, _ = vocabulary.tokenizer.encode_many([text])
        except UnknownSymbol as error:
            raise UsageError(f"cannot encode the {part} part: {error}") from None
        sinks[part].append(np.add(flat, vocabulary.symbol_offset, dtype=np.int32))
        chars[part] += len(text)
        progress(n_done)
    return {part: Stream(sinks[part].finish(), chars[part]) for part in PARTS}


def _cut(records: Iterable[Record], ends: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a long text with their parts; a piece across a boundary is cut there."""
    at = 0
    for record in records:
        text, own = record.text, record.split
        while text:
            part: str = own or next((name for name, end in ends.items() if at < end), PARTS[-1])
            here = text if own or part == PARTS[-1] else text[: ends[part] - at]
            yield part, here
            at += len(here)
            text = text[len(here) :]
