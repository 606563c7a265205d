"""The batch of each step: the order of records in an epoch, their augmentation, and windows of a long text.

All of it is a pure function of the seed and the number of the step.

Dimension letters: B batch, T steps, N records, C conditions.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from seqgen.batches.encoded import Batch, Encoded, Stream
from seqgen.encoding import mixed_bits
from seqgen.errors import UnknownSymbol
from seqgen.protocols import Augmentation
from seqgen.tokenizers import BOS, Vocabulary

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.batches.encoded import Order
    from seqgen.protocols import Flags, Integers


EVALUATION_BATCH = 256
"""Records that are evaluated together."""
_BLOCK = 64  # consecutive records that are read together: about a page
_POOL = 1024  # blocks that are shuffled together
_WINDOW = 50  # batches that are sorted by length together


def epoch_batches(lengths_N: Integers, batch_size: int, seed: int, epoch: int) -> Iterator[Order]:
    """Yield the batches of an epoch as record indices, as a pure function of the arguments.

    Blocks of 64 records are visited in random order, and the records of 1,024 blocks are shuffled together: close to a
    full shuffle even for a sorted corpus, while reading whole pages. Within windows of 50 batches, records of similar
    length are grouped, and the batches are shuffled.

    Args:
        lengths_N: the length of each record.
        batch_size: records per batch; the last batch of a window may have fewer.
        seed: the seed of the run.
        epoch: the epoch, from 0.
    """
    random = np.random.Generator(np.random.Philox(key=derive_seed("order", seed, epoch)))
    width = _WINDOW * batch_size

    def cut(window: Order) -> Iterator[Order]:
        window = window[_by_length(lengths_N[window])]
        cuts = [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
        return map(cuts.__getitem__, random.permutation(len(cuts)).tolist())

    left = np.empty(0, dtype=np.int64)
    n = len(lengths_N)
    blocks = random.permutation(-(-n // _BLOCK)) if n > _POOL * _BLOCK else np.arange(-(-n // _BLOCK))
    for start in range(0, len(blocks), _POOL):
        rows = (blocks[start : start + _POOL, None] * _BLOCK + np.arange(_BLOCK)).reshape(-1)
        left = np.concatenate((left, random.permutation(rows[rows < n])))
        while len(left) >= width:
            yield from cut(left[:width])
            left = left[width:]
    if len(left):
        yield from cut(left)


def count_batches(size: int, batch_size: int, window: int | None = None) -> int:
    """Return the number of batches of an epoch.

    Args:
        size: the number of records, or of symbols of one long text.
        batch_size: records of a batch, or lanes of the text.
        window: the number of symbols of a step, of one long text; None: there are records.
    """
    return -(-size // batch_size) if window is None else _lanes(size, batch_size, window)[2]


def _lanes(n_symbols: int, batch_size: int, window: int) -> tuple[int, int, int]:
    """Return the window and the number of lanes of a text, smaller for a short one, and the windows of a lane."""
    window = min(window, max(1, n_symbols // 2))
    usable = n_symbols - window  # the random offset skips at most one window
    lanes = min(batch_size, max(1, usable // window))
    return window, lanes, max(1, usable // lanes // window)


def evaluation_batches(lengths_N: Integers, most: int) -> Iterator[Order]:
    """Yield at most ``most`` records, evenly spaced over the corpus, in batches of similar length."""
    every = max(1, -(-len(lengths_N) // most))
    rows = np.arange(0, len(lengths_N), every)
    rows = rows[_by_length(lengths_N[rows])]
    for start in range(0, len(rows), EVALUATION_BATCH):
        yield rows[start : start + EVALUATION_BATCH]


def _by_length(lengths_N: Integers) -> Order:
    """Return the indices that sort lengths in ascending order, stably."""
    # numpy sorts 16-bit integers by radix sort, in a tenth of the time.
    fit = len(lengths_N) and lengths_N.max() < 2**16
    return np.argsort(lengths_N.astype(np.uint16) if fit else lengths_N, kind="stable")


def derive_seed(purpose: str, *numbers: int) -> int:
    """Return a 63-bit seed that differs for every purpose and number."""
    text = " ".join([purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def uniforms(key: int, rows_N: Order, n_columns: int) -> npt.NDArray[np.float64]:
    """Return uniform numbers in [0, 1) that depend on (key, row, column) alone, (N, C).

    Source: SplitMix64's finalizer (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators) applied
    to a counter.

    Args:
        key: a 63-bit seed.
        rows_N: the row numbers.
        n_columns: C.
    """
    with np.errstate(over="ignore"):
        place = rows_N.astype(np.uint64)[:, None] * np.uint64(n_columns) + np.arange(n_columns, dtype=np.uint64)
        uniform_NC: npt.NDArray[np.float64] = (mixed_bits(place, key) >> np.uint64(11)) * 2.0**-53
    return uniform_NC


# -- augmentation


class Rewriter:
    """An augmentation applied to records, as a pure function of (seed, epoch, record).

    Args:
        augment: maps a text to an equivalent text.
        vocabulary: the vocabulary of the records.
        seed: the seed of the run.
    """

    def __init__(self, augment: Augmentation, vocabulary: Vocabulary, seed: int) -> None:
        self._augment, self._vocabulary, self._seed = augment, vocabulary, seed

    def rewrite(self, encoded: Encoded, rows_B: Order, epoch: int) -> Encoded:
        """Return some records rewritten; a record that would get an unknown symbol stays as it is."""
        vocabulary = self._vocabulary
        texts = []
        for row, start, length in zip(
            rows_B.tolist(), encoded.starts_N[rows_B].tolist(), encoded.lengths_N[rows_B].tolist(), strict=True
        ):
            text = vocabulary.decode(encoded.flat[start + 1 : start + length - 1].tolist())
            written = self._augment(text, Random(derive_seed("rewrite", self._seed, epoch, row)))
            try:
                vocabulary.encode(written)
            except UnknownSymbol:
                written = text
            texts.append(written)
        flat, lengths_B = vocabulary.frame_many(texts)
        chars_B = np.fromiter(map(len, texts), np.int64, len(texts))
        conditions = encoded.conditions_NC
        given_BC = None if conditions is None else conditions[rows_B]
        return Encoded(flat, np.cumsum(lengths_B) - lengths_B, lengths_B, chars_B, given_BC)


# -- feeds

_AHEAD, _RECORDS_AHEAD, _IDS_AHEAD = 256, 8192, 1 << 19  # limits on batches built together: number, records, ids
_ABSENT = 0.1  # share of conditions dropped in training, so that sampling works without them


class RecordFeed:
    """Batches of records.

    Args:
        encoded: the records.
        batch_size: B.
        seed: the seed of the run.
        pad: maps the number of steps of a batch's longest record to the number to pad to.
        rewriter: augments the records anew each epoch; None for no augmentation.

    Attributes:
        steps_per_epoch: the number of batches of an epoch.
    """

    def __init__(
        self,
        encoded: Encoded,
        batch_size: int,
        seed: int,
        pad: Callable[[int], int] = int,
        rewriter: Rewriter | None = None,
    ) -> None:
        self.steps_per_epoch = count_batches(len(encoded), batch_size)
        self._encoded, self._batch_size, self._seed = encoded, batch_size, seed
        self._pad, self._rewriter = pad, rewriter
        self._ahead = 1  # augmentation is slow, and no faster for several batches together
        if rewriter is None:
            ids_of_one = batch_size * max(1, len(encoded.flat) // max(1, len(encoded)))
            self._ahead = max(1, min(_AHEAD, _RECORDS_AHEAD // batch_size, _IDS_AHEAD // ids_of_one))
        self._epoch, self._next = -1, 0
        self._order: Iterator[Order] = iter(())
        self._ready: dict[int, Batch] = {}

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0; fastest when steps are requested in order."""
        epoch, index = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch or (index not in self._ready and index != self._next):
            self._epoch, self._next, self._ready = epoch, index, {}
            self._order = itertools.islice(self._batches(epoch), index, None)
        if index not in self._ready:
            ahead = list(itertools.islice(self._order, self._ahead))
            self._ready = dict(enumerate(self._make(ahead, epoch), index))
            self._next = index + len(ahead)
        return self._ready[index]

    def batch_indices(self, step: int) -> list[int]:
        """Return the indices, in the part, of the records in the batch of a step."""
        epoch, index = divmod(step, self.steps_per_epoch)
        rows_B: list[int] = next(itertools.islice(self._batches(epoch), index, None)).tolist()
        return rows_B

    def _batches(self, epoch: int) -> Iterator[Order]:
        return epoch_batches(self._encoded.lengths_N, self._batch_size, self._seed, epoch)

    def probe_batch(self) -> Batch:
        """Return the first full batch, or all records if they fill none."""
        size = min(self._batch_size, len(self._encoded))
        rows_B = next(rows_B for rows_B in self._batches(0) if len(rows_B) == size)
        return self._encoded.take(rows_B, self._pad)

    def _make(self, batches: list[Order], epoch: int) -> list[Batch]:
        if self._rewriter is None:
            absent_NC = self._absent(np.concatenate(batches), epoch) if self._encoded.n_slots else None
            return self._encoded.take_many(batches, self._pad, absent_NC)
        made = []
        for rows_B in batches:
            written = self._rewriter.rewrite(self._encoded, rows_B, epoch)
            made.append(written.take(np.arange(len(rows_B)), self._pad, self._absent(rows_B, epoch)))
        return made

    def _absent(self, rows_N: Order, epoch: int) -> Flags | None:
        """Return a mask of the conditions that are dropped in this epoch."""
        n_slots = self._encoded.n_slots
        if not n_slots:
            return None
        return uniforms(derive_seed("absent", self._seed, epoch), rows_N, n_slots) < _ABSENT


class StreamFeed:
    """Windows of one long text, read in parallel lanes: each row continues the same row of the previous batch.

    Each epoch starts at a random offset smaller than the window, so that windows are cut at different positions.

    Args:
        stream: the text.
        batch_size: the number of lanes; fewer for a short text.
        window: the number of symbols of a step; fewer for a short text.
        seed: the seed of the run.

    Attributes:
        steps_per_epoch: the number of windows of a lane.
    """

    def __init__(self, stream: Stream, batch_size: int, window: int, seed: int) -> None:
        self._stream, self._seed = stream, seed
        self._window, self._lanes, self.steps_per_epoch = _lanes(len(stream), batch_size, window)

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0."""
        index, starts_B = step % self.steps_per_epoch, self._starts_B(step)
        before_B = self._stream.flat_S[starts_B - 1] if index else np.full(self._lanes, BOS)
        return self._stream.window(starts_B, before_B, self._window, continues=index > 0)

    def batch_indices(self, step: int) -> list[int]:
        """Return the positions, in the text, at which the windows of a step start."""
        return [int(place) for place in self._starts_B(step)]

    def _starts_B(self, step: int) -> Order:
        epoch, index = divmod(step, self.steps_per_epoch)
        offset = derive_seed("offset", self._seed, epoch) % self._window
        lane = (len(self._stream) - offset) // self._lanes
        return offset + np.arange(self._lanes) * lane + index * self._window

    def probe_batch(self) -> Batch:
        """Return the first batch."""
        return self.batch(0)


Feed = RecordFeed | StreamFeed


def make_feed(
    part: Encoded | Stream,
    *,
    batch_size: int,
    window: int,
    seed: int,
    pad: Callable[[int], int] = int,
    rewriter: Rewriter | None = None,
) -> Feed:
    """Return the feed of an encoded part; the arguments are those of its class."""
    if isinstance(part, Stream):
        return StreamFeed(part, batch_size, window, seed)
    return RecordFeed(part, batch_size, seed, pad, rewriter)


def evaluation_windows(stream: Stream, n_lanes: int, window: int, most: int) -> Iterator[Batch]:
    """Yield windows that cover at most ``most`` symbols from the start of a long text once, in lanes.

    Args:
        stream: the text.
        n_lanes: the maximum number of lanes; each is at least eight windows long.
        window: the number of symbols of each row.
        most: the maximum number of symbols in total.
    """
    size = min(len(stream), most)
    n_lanes = min(n_lanes, max(1, size // (8 * window)))
    lane = size // n_lanes
    for at in range(0, lane, window):
        starts_B = np.arange(n_lanes) * lane + at
        before_B = stream.flat_S[starts_B - 1] if at else np.full(n_lanes, BOS)
        yield stream.window(starts_B, before_B, min(window, lane - at), continues=at > 0)
