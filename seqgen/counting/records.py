"""Records to count: those of an encoded part, of one long text, or of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqgen.batches import Encoded, Stream
from seqgen.counting.kneser_ney import MAX_ORDER, Records
from seqgen.encoding import ranges
from seqgen.tokenizers import BOS, EOS, Vocabulary

if TYPE_CHECKING:
    from seqgen.protocols import Ids

N_BLOCKS = 64
"""Blocks of a long text, each of which is left out as a record is."""
_PLACES = 1024  # of a file, from which records are read


def count_symbols(part: Encoded | Stream) -> int:
    """Return the number of symbols of a part, the marks of records counted."""
    return len(part) if isinstance(part, Stream) else len(part.flat)


def thinned(part: Encoded | Stream, most: int) -> Encoded | Stream:
    """Return some of the symbols of a part: records from all over it; the beginnings of 64 blocks of a long text.

    Args:
        part: the records, or one long text; as it is if it has no more symbols.
        most: about how many symbols, the marks of records counted; no record has more than a quarter of them, unless
            there are no others.
    """
    size = count_symbols(part)
    if size <= most:
        return part
    if isinstance(part, Stream):
        starts = [size * block // N_BLOCKS for block in range(N_BLOCKS)]
        flat_S = np.concatenate([np.array(part.flat_S[start : start + most // N_BLOCKS]) for start in starts])
        return Stream(flat_S, round(part.n_chars * len(flat_S) / size))
    rows_K = _spread(len(part), max(1, len(part) * most // size))
    few_K = rows_K[part.lengths_N[rows_K] <= most // 4]  # one of them must not be all that is counted
    return part.copy(few_K if len(few_K) else rows_K[:1])


def _spread(n_records: int, n_kept: int) -> Ids:
    """Return the numbers of some records, ascending: neighbours from a random place within each of some thousand parts.

    They are the same at each call. Neighbours are read from few pages of a file, and random places keep what comes in
    turns.
    """
    n_parts = min(_PLACES, n_kept)
    parts_P = np.arange(n_parts + 1)
    first_P = parts_P * n_records // n_parts
    size_P, wanted_P = np.diff(first_P), np.diff(parts_P * n_kept // n_parts)
    wanted_P = np.minimum(wanted_P, size_P)
    start_P = first_P[:-1] + (np.random.default_rng(0).random(n_parts) * (size_P - wanted_P + 1)).astype(np.int64)
    return ranges(start_P, wanted_P)


def records_of_part(part: Encoded | Stream, vocabulary: Vocabulary) -> Records:
    """Return the records of a part, equal ones together; conditions are not counted.

    A long text is cut into 64 blocks, which take the place of records.
    """
    n_ids, n_symbols = vocabulary.size, int(vocabulary.allowed_V().sum())
    if isinstance(part, Stream):
        size = len(part)
        groups_S = (np.arange(size) * N_BLOCKS // max(size, 1)).astype(np.int32)
        deep_S, ones_S = np.full(size, MAX_ORDER + 1, dtype=np.int8), np.ones(size, dtype=np.int8)
        return Records(np.asarray(part.flat_S), deep_S, groups_S, ones_S, n_ids, n_symbols)
    times, dtype = Counter(part.row_bytes()), np.asarray(part.flat).dtype
    ids_S = np.frombuffer(b"".join(times), dtype=dtype)
    lengths = np.array([len(row) // dtype.itemsize for row in times], dtype=np.int64)
    return _framed(ids_S, lengths, list(times.values()), n_ids, n_symbols)


def records_of_texts(texts: Sequence[str], alphabet: Iterable[str], *, ends: bool) -> Records:
    """Return texts as records of characters: the mark is 0, the stop 1, characters follow in order.

    Args:
        texts: the texts.
        alphabet: at least their characters.
        ends: whether texts have a stop.
    """
    times = Counter(texts)
    ids_S, framed_N, n_ids = frame_texts(times, alphabet, ends=ends)
    return _framed(ids_S, framed_N, list(times.values()), n_ids, n_ids - 2 + ends)


def frame_texts(
    texts: Collection[str], alphabet: Iterable[str], *, ends: bool, n_marks: int = 1
) -> tuple[Ids, Ids, int]:
    """Return the ids of texts, each between its marks, the lengths of texts so framed, and the number of ids.

    The mark is 0, the stop 1; characters follow in order.

    Args:
        texts: the texts.
        alphabet: at least their characters.
        ends: whether texts have a stop.
        n_marks: marks before each text.
    """
    codes = np.array(sorted(map(ord, set(alphabet))), dtype=np.uint32)
    found = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    lengths_N = np.fromiter(map(len, texts), np.int64, len(texts))
    ids_S, framed_N = _between_marks(np.searchsorted(codes, found) + 2, lengths_N, 0, 1, ends, n_marks)
    return ids_S, framed_N, len(codes) + 2


def records_of_rows(flat: Ids, lengths_N: Ids, vocabulary: Vocabulary) -> Records:
    """Return rows as records, with a mark before each and, where rows have an end, a stop after it.

    Args:
        flat: the symbols of all rows.
        lengths_N: the number of symbols of each row.
        vocabulary: the symbols.
    """
    ids_S, framed_N = _between_marks(flat, lengths_N, BOS, EOS, vocabulary.ends)
    return _framed(ids_S, framed_N, [1] * len(lengths_N), vocabulary.size, int(vocabulary.allowed_V().sum()))


def _between_marks(flat: Ids, lengths_N: Ids, mark: int, stop: int, ends: bool, n_marks: int = 1) -> tuple[Ids, Ids]:
    """Return the ids of rows with marks before each and, where they end, a stop after it; and their lengths so."""
    framed_N = lengths_N + n_marks + ends
    firsts_N = np.cumsum(framed_N) - framed_N + n_marks
    ids_S = np.full(int(framed_N.sum()), mark, dtype=np.int32)
    ids_S[ranges(firsts_N, lengths_N)] = flat
    if ends:
        ids_S[firsts_N + lengths_N] = stop
    return ids_S, framed_N


def _framed(ids_S: Ids, lengths_N: Ids, times: list[int], n_ids: int, n_symbols: int) -> Records:
    """Return records that lie one after another, each from its mark on."""
    group_S = np.repeat(np.arange(len(lengths_N), dtype=np.int32), lengths_N)
    starts_N = np.cumsum(lengths_N) - lengths_N
    depth_S = np.arange(len(ids_S), dtype=np.int32)
    depth_S -= starts_N.astype(np.int32)[group_S]
    depth_S = np.minimum(depth_S, MAX_ORDER + 1).astype(np.int8)
    weight_S = np.array(times, dtype=np.min_scalar_type(-1 - max(times, default=1)))[group_S]
    return Records(ids_S, depth_S, group_S, weight_S, n_ids, n_symbols)
