"""Decoded texts of encoded records: all of them, or an evenly spaced subset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seqgen.batches import Encoded, Stream
from seqgen.encoding import ranges
from seqgen.tokenizers import Vocabulary

if TYPE_CHECKING:
    from seqgen.protocols import Integers


def excerpt(part: Encoded | Stream, vocabulary: Vocabulary, *, most_chars: int, most: int = 10**9) -> list[str]:
    """Return texts of one part of a corpus.

    Args:
        part: records, or a long text.
        vocabulary: its symbols.
        most_chars: approximate limit on the characters.
        most: limit on the records.

    Returns:
        Every k-th record, for the smallest k that keeps the limits; of a long text, its beginning as the only text.
    """
    if not len(part):
        return []
    if isinstance(part, Stream):
        n_symbols = round(len(part) * min(1.0, most_chars / max(1, part.n_chars)))
        return vocabulary.decode_many(part.flat_S[:n_symbols].astype(np.int32), np.array([n_symbols]))
    n_chars = int(part.chars_N.sum(dtype=np.int64))
    every = max(1, -(-n_chars // most_chars), -(-len(part) // most))
    return decoded_rows(part, vocabulary, np.arange(0, len(part), every))


def decoded_rows(encoded: Encoded, vocabulary: Vocabulary, rows_N: Integers) -> list[str]:
    """Return the texts of records."""
    lengths = encoded.lengths_N[rows_N].astype(np.int64) - 2
    return vocabulary.decode_many(encoded.flat[ranges(encoded.starts_N[rows_N] + 1, lengths)].astype(np.int32), lengths)


def pieces(text: str, width: int, most: int) -> list[str]:
    """Return at most ``most`` pieces of a long text, evenly spaced, each ``width`` characters long."""
    width = max(1, min(width, len(text)))
    starts = range(0, len(text) - width + 1, width)
    return [text[start : start + width] for start in starts[:: max(1, -(-len(starts) // most))]]
