"""The longest substring that each of some texts shares with a large text.

If a text shares a substring of n characters, it shares one of n - 1. So the longest is found by doubling a length and
then halving the gap, and each length is one pass over the large text by hashes of all its windows (Karp & Rabin 1987,
doi:10.1147/rd.312.0249): linear in the text, and all texts in step. Hashes are polynomials in an odd base modulo 2^64
over mixed codes of the characters; that two different windows of 3 million meet in one has a probability of 1e-8.

Dimension letters: S places in the large text, Q places in the texts that are looked up, W windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Hashes = npt.NDArray[np.uint64]
    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

_BASE = 0x9E3779B97F4A7C15 | 1
_INVERSE = pow(_BASE, -1, 1 << 64)
_END, _OTHER_END = 0x110000, 0x110001  # no characters, and not each other: no window with one is shared
_TABLE_BITS = 22  # a first look that leaves few windows to be looked up


class _Hashed:
    """Hashes of the windows of some texts."""

    def __init__(self, texts: Sequence[str], end: int) -> None:
        codes_S = np.full(sum(map(len, texts)) + len(texts), end, dtype=np.uint64)
        self.lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self.starts = np.cumsum(self.lengths + 1) - self.lengths - 1
        is_char = np.ones(len(codes_S), dtype=bool)
        is_char[self.starts + self.lengths] = False
        codes_S[is_char] = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        with np.errstate(over="ignore"):
            sums_S = np.cumsum(_mixed(codes_S) * _powers(_BASE, len(codes_S)), dtype=np.uint64)
            self._sums = np.concatenate((np.zeros(1, dtype=np.uint64), sums_S))
            self._shift_back = _powers(_INVERSE, len(codes_S))

    def at(self, places_W: Integers, size: int) -> Hashes:
        """Hashes (W,) of the windows that begin at some places."""
        hashes: Any = (self._sums[places_W + size] - self._sums[places_W]) * self._shift_back[places_W]
        return hashes  # type: ignore[no-any-return]

    def all(self, size: int) -> Hashes:
        """Hashes of every window."""
        n = max(0, len(self._shift_back) - size + 1)
        hashes: Any = (self._sums[size : size + n] - self._sums[:n]) * self._shift_back[:n]
        return hashes  # type: ignore[no-any-return]


def longest_common_substrings(texts: Sequence[str], training: Sequence[str]) -> Integers:
    """Characters (N,) of the longest substring that each text shares with a training record.

    Args:
        texts: N texts to look up.
        training: the records; a substring does not reach from one into the next.
    """
    if not len(texts) or not len(training):
        return np.zeros(len(texts), dtype=np.int64)
    looked_up, large = _Hashed(texts, _END), _Hashed(training, _OTHER_END)
    shared_N, unshared_N = np.zeros(len(texts), dtype=np.int64), looked_up.lengths + 1
    size_N = np.minimum(1, looked_up.lengths)
    while (open_N := unshared_N - shared_N > 1).any():
        for size in np.unique(size_N[open_N]).tolist():
            rows = np.flatnonzero(open_N & (size_N == size))
            found = _any_shared(looked_up, rows, large, size)
            shared_N[rows[found]] = size
            unshared_N[rows[~found]] = size
        never_failed_N = unshared_N > looked_up.lengths
        size_N = np.where(never_failed_N, 2 * shared_N, (shared_N + unshared_N) // 2)
        size_N = np.clip(size_N, shared_N + 1, np.maximum(unshared_N - 1, shared_N + 1))
    return shared_N


def _any_shared(looked_up: _Hashed, rows: Integers, large: _Hashed, size: int) -> Flags:
    """Whether each of some texts shares a substring of ``size`` characters."""
    n_windows = looked_up.lengths[rows] - size + 1
    firsts = np.cumsum(n_windows) - n_windows
    places_W = np.repeat(looked_up.starts[rows] - firsts, n_windows) + np.arange(int(n_windows.sum()))
    hashes_W, hashes_S = looked_up.at(places_W, size), large.all(size)
    drop = np.uint64(64 - _TABLE_BITS)
    table = np.zeros(1 << _TABLE_BITS, dtype=bool)
    table[hashes_W >> drop] = True
    likely = hashes_S[table[hashes_S >> drop]]
    found: Flags = np.logical_or.reduceat(np.isin(hashes_W, likely), firsts)
    return found


def _mixed(codes_S: Hashes) -> Hashes:
    """SplitMix64's finalizer (Steele, Lea & Flood 2014): near codes come out unlike each other."""
    mixed: Any = (codes_S + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))  # type: ignore[no-any-return]


def _powers(base: int, n: int) -> Hashes:
    """base^0, base^1, ... modulo 2^64."""
    factors = np.full(n, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)
