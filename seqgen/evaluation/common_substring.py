"""Longest common substrings of each of some texts with a large text.

A text that shares a substring of n characters shares one of n - 1. So the longest is found by doubling a length and
then bisecting, and each length takes one pass over the large text by hashes of all its windows (Karp & Rabin 1987,
doi:10.1147/rd.312.0249): linear in the text, for all texts in parallel. Hashes are polynomials in an odd base modulo
2^64 over mixed character codes; the probability that two different windows among 3 million collide is 1e-8.

Dimension letters: S positions in the large text, N texts, W windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.encoding import mixed_bits, ranges

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Flags, Integers

    Hashes = npt.NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15 | 1
_INVERSE = pow(_BASE, -1, 1 << 64)
_END, _OTHER_END = 0x110000, 0x110001  # not characters and distinct, so no window that contains one is shared
_TABLE_BITS = 22  # at most, of a prefilter that leaves few windows to compare


class _Hashed:
    """Rolling hashes of all windows of some texts."""

    def __init__(self, texts: Sequence[str], end: int) -> None:
        codes_S = np.full(sum(map(len, texts)) + len(texts), end, dtype=np.uint64)
        self.lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self.starts = np.cumsum(self.lengths + 1) - self.lengths - 1
        is_char = np.ones(len(codes_S), dtype=bool)
        is_char[self.starts + self.lengths] = False
        codes_S[is_char] = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        with np.errstate(over="ignore"):
            sums_S = np.cumsum(mixed_bits(codes_S) * _powers(_BASE, len(codes_S)), dtype=np.uint64)
            self._sums = np.concatenate((np.zeros(1, dtype=np.uint64), sums_S))
            self._shift_back = _powers(_INVERSE, len(codes_S))

    def at(self, starts_W: Integers, size: int) -> Hashes:
        """Return the hashes (W,) of the windows of ``size`` characters that start at some positions."""
        hashes: Any = (self._sums[starts_W + size] - self._sums[starts_W]) * self._shift_back[starts_W]
        return hashes  # type: ignore[no-any-return]

    def all(self, size: int) -> Hashes:
        """Return the hashes of all windows of ``size`` characters."""
        n = max(0, len(self._shift_back) - size + 1)
        hashes: Any = (self._sums[size : size + n] - self._sums[:n]) * self._shift_back[:n]
        return hashes  # type: ignore[no-any-return]


def longest_common_substrings(texts: Sequence[str], training: Sequence[str]) -> Integers:
    """Return the number of characters (N,) of the longest substring that each text shares with a training record.

    Args:
        texts: N texts.
        training: the records; a substring never spans two of them.
    """
    if not len(texts) or not len(training):
        return np.zeros(len(texts), dtype=np.int64)
    queries, reference = _Hashed(texts, _END), _Hashed(training, _OTHER_END)
    longest_N, too_long_N = np.zeros(len(texts), dtype=np.int64), queries.lengths + 1
    size_N = np.minimum(1, queries.lengths)
    while (unresolved_N := too_long_N - longest_N > 1).any():
        for size in np.unique(size_N[unresolved_N]).tolist():
            rows = np.flatnonzero(unresolved_N & (size_N == size))
            found = _shares_substring(queries, rows, reference, size)
            longest_N[rows[found]] = size
            too_long_N[rows[~found]] = size
        unbounded_N = too_long_N > queries.lengths
        size_N = np.where(unbounded_N, 2 * longest_N, (longest_N + too_long_N) // 2)
        size_N = np.clip(size_N, longest_N + 1, np.maximum(too_long_N - 1, longest_N + 1))
    return longest_N


def _shares_substring(queries: _Hashed, rows: Integers, reference: _Hashed, size: int) -> Flags:
    """Return whether each text shares a substring of ``size`` characters."""
    n_windows = queries.lengths[rows] - size + 1
    hashes_W, hashes_S = queries.at(ranges(queries.starts[rows], n_windows), size), reference.all(size)
    bits = min(_TABLE_BITS, (16 * len(hashes_W)).bit_length())
    drop = np.uint64(64 - bits)
    table = np.zeros(1 << bits, dtype=bool)
    table[hashes_W >> drop] = True
    likely = hashes_S[table[hashes_S >> drop]]
    found: Flags = np.logical_or.reduceat(np.isin(hashes_W, likely), np.cumsum(n_windows) - n_windows)
    return found


def _powers(base: int, n: int) -> Hashes:
    """Return base^0, base^1, ... modulo 2^64."""
    factors = np.full(n, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)
