"""Records encoded part by part of the split into flat arrays, without torch, so that workers start quickly."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.corpus import PARTS, Record, Splitter
from seqgen.errors import UnknownSymbol, UsageError
from seqgen.files.arrays import ArrayFile

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.tokenizers import Vocabulary

    Array = npt.NDArray[Any]

_AT_ONCE = 8192  # records


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


def ranges(starts: Array, counts: Array) -> Array:
    """Return numbers that count up from each start, so many from each, one after another."""
    firsts = np.cumsum(counts) - counts
    return np.repeat(starts - firsts, counts) + np.arange(int(counts.sum()))


Sink = MemorySink | ArrayFile
MakeSink = Callable[[str, Any, int | None], Sink]
"""Creates the sink of an array from its name, dtype and number of columns (None for one dimension)."""


def make_memory_sink(name: str, dtype: npt.DTypeLike, width: int | None) -> Sink:
    """Return a sink in memory."""
    return MemorySink(dtype, width)


class RecordArrays:
    """The arrays of the records of a corpus while they are encoded, a set for each part of the split.

    Args:
        vocabulary: encodes them.
        make_sink: creates the sinks for the arrays.
    """

    def __init__(self, vocabulary: Vocabulary, make_sink: MakeSink) -> None:
        self._vocabulary, self._slots = vocabulary, vocabulary.slots
        ids: Any = vocabulary.dtype
        kinds: dict[str, tuple[Any, int | None]] = {
            "flat": (ids, None), "starts": (np.int64, None), "lengths": (np.int32, None), "chars": (np.int32, None),
        }  # fmt: skip
        kinds |= {"conditions": (ids, len(self._slots))} if self._slots else {}
        names = [(f"{part}.{kind}", kinds[kind]) for part in PARTS for kind in kinds]
        self._sinks = {name: make_sink(name, *kind) for name, kind in names}
        self._n_ids = dict.fromkeys(PARTS, 0)

    def encode(
        self,
        records: Iterable[Record],
        splitter: Splitter,
        progress: Callable[[int], None] = lambda n_records: None,
    ) -> None:
        """Encode records and append them to their parts, a few thousand at a time.

        Args:
            records: the records.
            splitter: assigns each record to a part.
            progress: called with the number of records done.

        Raises:
            UsageError: a record contains a symbol that the tokenizer does not know.
        """
        iterator, n_done = iter(records), 0
        while chunk := list(itertools.islice(iterator, _AT_ONCE)):
            parts_N = splitter.parts(chunk)
            for index, part in enumerate(PARTS):
                some = list(itertools.compress(chunk, (parts_N == index).tolist()))
                try:
                    self.append({f"{part}.{name}": array for name, array in self._arrays(some).items()})
                except UnknownSymbol as error:
                    raise UsageError(f"cannot encode a record of the {part} part: {error}") from None
            n_done += len(chunk)
            progress(n_done)

    def _arrays(self, records: list[Record]) -> dict[str, Array]:
        texts = [record.text for record in records]
        flat, lengths_N = self._vocabulary.frame_many(texts)
        arrays = {
            "flat": flat,
            "starts": np.cumsum(lengths_N) - lengths_N,
            "lengths": lengths_N,
            "chars": np.fromiter(map(len, texts), np.int32, len(texts)),
        }
        if self._slots:
            arrays["conditions"] = self._vocabulary.condition_ids(map(self._condition_values, records))
        return arrays

    def _condition_values(self, record: Record) -> dict[str, str]:
        values = {name: record.value(name) for name in self._slots}
        return {name: value for name, value in values.items() if value is not None}

    def append(self, arrays: Mapping[str, Array]) -> None:
        """Append arrays of the records that follow; their ``starts`` count from the first id of each part."""
        for name, array in arrays.items():
            part, _, kind = name.partition(".")
            self._sinks[name].append(array + self._n_ids[part] if kind == "starts" else array)
        for part in PARTS:
            self._n_ids[part] += len(arrays.get(f"{part}.flat", ()))

    def finish(self) -> dict[str, Array]:
        """Return the complete arrays: "train.flat", ..., described by ``seqgen.batches.Encoded``."""
        return {name: sink.finish() for name, sink in self._sinks.items()}


def mixed_bits(values_N: Any, key: int = 0) -> Any:  # numpy's stubs do not infer unsigned integers
    """Return uint64 numbers through a function that decorrelates nearby ones.

    Source: SplitMix64's finalizer (Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators).
    """
    mixed: Any = (values_N + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
