"""Encoding of records into flat arrays, a few thousand at a time, in memory or in files.

Dimension letters: N records, C conditions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.batches.encoded import Encoded, Stream
from seqgen.corpus import PARTS, Record, Splitter
from seqgen.errors import UnknownSymbol, UsageError
from seqgen.files.arrays import ArrayFile
from seqgen.tokenizers import Vocabulary

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_ENCODED_AT_ONCE = 8192


class MemorySink:
    """An array collected in memory from pieces.

    Args:
        dtype: the type of its numbers.
        width: the number of columns of a two-dimensional array; None for one dimension.
    """

    def __init__(self, dtype: npt.DTypeLike, width: int | None = None) -> None:
        self._pieces: list[Array] = [np.empty((0,) if width is None else (0, width), dtype)]

    def append(self, piece: Array) -> None:
        """Append rows."""
        self._pieces.append(piece.astype(self._pieces[0].dtype, copy=False))

    def finish(self) -> Array:
        """Return the complete array."""
        return np.concatenate(self._pieces)


Sink = MemorySink | ArrayFile
MakeSink = Callable[[str, Any, int | None], Sink]
"""Creates the sink of an array from its name, dtype and number of columns (None for one dimension)."""


def make_memory_sink(name: str, dtype: npt.DTypeLike, width: int | None) -> Sink:
    """Return a sink in memory."""
    return MemorySink(dtype, width)


class _Part:
    """One part of a split while it is being encoded."""

    def __init__(self, name: str, vocabulary: Vocabulary, make_sink: MakeSink) -> None:
        n_slots = len(vocabulary.slots)
        self._vocabulary = vocabulary
        self._flat = make_sink(f"{name}.flat", vocabulary.dtype, None)
        self._starts = make_sink(f"{name}.starts", np.int64, None)
        self._lengths = make_sink(f"{name}.lengths", np.int32, None)
        self._chars = make_sink(f"{name}.chars", np.int32, None)
        self._conditions = make_sink(f"{name}.conditions", vocabulary.dtype, n_slots) if n_slots else None
        self._n_ids = 0

    def append(self, records: list[Record]) -> None:
        texts = [record.text for record in records]
        framed, lengths_N = self._vocabulary.frame_many(texts)
        self._flat.append(framed)
        self._starts.append(np.cumsum(lengths_N) - lengths_N + self._n_ids)
        self._lengths.append(lengths_N)
        self._chars.append(np.fromiter(map(len, texts), np.int32, len(texts)))
        if self._conditions is not None:
            self._conditions.append(self._vocabulary.condition_ids(map(self._condition_values, records)))
        self._n_ids += len(framed)

    def _condition_values(self, record: Record) -> dict[str, str]:
        values = {name: record.value(name) for name in self._vocabulary.slots}
        return {name: value for name, value in values.items() if value is not None}

    def finish(self) -> Encoded:
        conditions_NC = None if self._conditions is None else self._conditions.finish()
        return Encoded(
            self._flat.finish(), self._starts.finish(), self._lengths.finish(), self._chars.finish(), conditions_NC
        )


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
    parts = {part: _Part(part, vocabulary, make_sink) for part in PARTS}
    iterator, n_done = iter(records), 0
    while chunk := list(itertools.islice(iterator, _ENCODED_AT_ONCE)):
        parts_N = splitter.parts(chunk)
        for index, part in enumerate(PARTS):
            try:
                parts[part].append(list(itertools.compress(chunk, (parts_N == index).tolist())))
            except UnknownSymbol as error:
                raise UsageError(f"cannot encode a record of the {part} part: {error}") from None
        n_done += len(chunk)
        progress(n_done)
    return {part: parts[part].finish() for part in PARTS}


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
    for n_done, (part, text) in enumerate(_cut(records, splitter.ends(n_chars)), 1):
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
