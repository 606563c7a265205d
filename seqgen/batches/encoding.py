"""From records to flat arrays, a few thousand at a time, in memory or into files.

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


class ArrayInMemory:
    """What is appended, in memory.

    Args:
        dtype: of the whole.
        width: columns, for an array of two dimensions.
    """

    def __init__(self, dtype: npt.DTypeLike, width: int | None = None) -> None:
        self._pieces: list[Array] = [np.empty((0,) if width is None else (0, width), dtype)]

    def append(self, piece: Array) -> None:
        """Add to the end."""
        self._pieces.append(piece.astype(self._pieces[0].dtype, copy=False))

    def finish(self) -> Array:
        """The whole."""
        return np.concatenate(self._pieces)


Sink = ArrayInMemory | ArrayFile
MakeSink = Callable[[str, Any, int | None], Sink]
"""Gives a place to put an array: name, type of its numbers, columns (None: it has one dimension)."""


def in_memory(name: str, dtype: npt.DTypeLike, width: int | None) -> Sink:
    """A place in memory."""
    return ArrayInMemory(dtype, width)


class _Part:
    """One part under construction."""

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
            self._conditions.append(self._vocabulary.condition_ids(map(self._given, records)))
        self._n_ids += len(framed)

    def _given(self, record: Record) -> dict[str, str]:
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
    make_sink: MakeSink = in_memory,
    progress: Callable[[int], None] = lambda n_records: None,
) -> dict[str, Encoded]:
    """Encode a corpus, part by part.

    Args:
        records: the corpus; consumed a few thousand records at a time.
        vocabulary: the symbols.
        splitter: tells the part of each record.
        make_sink: where the arrays go.
        progress: is told how many records are done.

    Returns:
        "train", "valid" and "test"; any of them may be empty.

    Raises:
        UsageError: a record holds a symbol that the tokenizer does not know.
    """
    parts = {part: _Part(part, vocabulary, make_sink) for part in PARTS}
    iterator, n_done = iter(records), 0
    while chunk := list(itertools.islice(iterator, _ENCODED_AT_ONCE)):
        parts_N = splitter.parts(chunk)
        for index, part in enumerate(PARTS):
            try:
                parts[part].append(list(itertools.compress(chunk, (parts_N == index).tolist())))
            except UnknownSymbol as error:
                raise UsageError(f"the tokenizer cannot encode a record of the {part} part: {error}") from None
        n_done += len(chunk)
        progress(n_done)
    return {part: parts[part].finish() for part in PARTS}


def encode_stream(
    records: Iterable[Record],
    n_chars: int,
    vocabulary: Vocabulary,
    splitter: Splitter,
    make_sink: MakeSink = in_memory,
    progress: Callable[[int], None] = lambda n_records: None,
) -> dict[str, Stream]:
    """Encode one long text, whose parts follow one another: training, then validation, then test.

    Args:
        records: its pieces, in order.
        n_chars: characters of all of them.
        vocabulary: the symbols.
        splitter: has the shares of the parts.
        make_sink: where the arrays go.
        progress: is told how many pieces are done.

    Raises:
        UsageError: the text holds a symbol that the tokenizer does not know.
    """
    sinks = {part: make_sink(f"{part}.flat", vocabulary.dtype, None) for part in PARTS}
    chars = dict.fromkeys(PARTS, 0)
    for n_done, (part, text) in enumerate(_cut(records, splitter.ends(n_chars)), 1):
        try:
            flat, _ = vocabulary.tokenizer.encode_many([text])
        except UnknownSymbol as error:
            raise UsageError(f"the tokenizer cannot encode the {part} part: {error}") from None
        sinks[part].append(np.add(flat, vocabulary.symbol_offset, dtype=np.int32))
        chars[part] += len(text)
        progress(n_done)
    return {part: Stream(sinks[part].finish(), chars[part]) for part in PARTS}


def _cut(records: Iterable[Record], ends: dict[str, int]) -> Iterator[tuple[str, str]]:
    """The pieces of a long text with their parts; one that reaches over an end is cut there."""
    at = 0
    for record in records:
        text, own = record.text, record.split
        while text:
            part: str = own or next((name for name, end in ends.items() if at < end), PARTS[-1])
            here = text if own or part == PARTS[-1] else text[: ends[part] - at]
            yield part, here
            at += len(here)
            text = text[len(here) :]
