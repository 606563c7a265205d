"""Cuts many texts into pieces at once, by comparing characters in arrays.

N is the number of characters of all texts, one separator after each counted, and K that of the pieces that are longer
than one character.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_OPEN, _CLOSE, _PERCENT = ord("["), ord("]"), ord("%")


@dataclass(frozen=True)
class Cut:
    """Texts cut into pieces.

    Attributes:
        joined: the texts with a line end after each.
        codes_N: the code points of ``joined``.
        begins_N: whether a piece begins there; False at the separators.
        ends_T: where the separators stand, one a text.
        starts_K: where the longer pieces begin.
        stops_K: where they end, exclusive.
    """

    joined: str
    codes_N: npt.NDArray[np.unsignedinteger]
    begins_N: npt.NDArray[np.bool_]
    ends_T: npt.NDArray[np.int64]
    starts_K: npt.NDArray[np.int64]
    stops_K: npt.NDArray[np.int64]

    def longer(self) -> list[str]:
        """The pieces of more than one character, in the order of ``starts_K``."""
        joined = self.joined
        return [joined[start:stop] for start, stop in zip(self.starts_K.tolist(), self.stops_K.tolist(), strict=True)]

    def singles(self) -> set[str]:
        """The different pieces of one character."""
        alone_N = self.begins_N.copy()
        alone_N[self.starts_K] = False
        return set(map(chr, np.unique(self.codes_N[alone_N]).tolist()))

    def lengths(self) -> npt.NDArray[np.int64]:
        """How many pieces each text has."""
        return np.diff(np.cumsum(self.begins_N)[self.ends_T], prepend=0).astype(np.int64)


def cut(texts: Sequence[str], pairs: Sequence[str], ring_numbers: bool) -> Cut:
    """Cut texts.

    Args:
        texts: any texts.
        pairs: two letters that are one piece, outside brackets.
        ring_numbers: whether ``%`` and two digits are one piece, outside brackets.
    """
    lengths_T = np.fromiter(map(len, texts), np.int64, len(texts))
    ends_T = np.cumsum(lengths_T + 1) - 1
    joined = "".join([text + "\n" for text in texts])
    codes_N = _codes(joined)
    opens_M, closes_M = _brackets(codes_N, ends_T)
    depth_N = np.zeros(len(codes_N), dtype=np.int8)
    depth_N[opens_M], depth_N[closes_M] = 1, -1
    inside_N = np.cumsum(depth_N, dtype=np.int8).view(np.bool_)  # from "[" to before "]"
    begins_N = ~inside_N
    begins_N[closes_M] = False
    begins_N[opens_M] = True
    begins_N[ends_T] = False
    starts, stops = [opens_M], [closes_M + 1]
    for pair in pairs:
        first, second = tuple(pair)
        at = np.flatnonzero((codes_N[:-1] == ord(first)) & (codes_N[1:] == ord(second)) & ~inside_N[:-1])
        begins_N[at + 1] = False
        starts.append(at)
        stops.append(at + 2)
    if ring_numbers:
        at = _ring_numbers(codes_N, inside_N)
        begins_N[at + 1] = begins_N[at + 2] = False
        starts.append(at)
        stops.append(at + 3)
    return Cut(joined, codes_N, begins_N, ends_T, np.concatenate(starts), np.concatenate(stops))


def _codes(joined: str) -> npt.NDArray[np.unsignedinteger]:
    """Code points, in a byte each where that is enough."""
    if joined.isascii():
        return np.frombuffer(joined.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _brackets(
    codes_N: npt.NDArray[np.unsignedinteger], ends_T: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where pairs of brackets with no bracket between open and close, both within one text."""
    matters_N = (codes_N == _OPEN) | (codes_N == _CLOSE)
    matters_N[ends_T] = True
    at_M = np.flatnonzero(matters_N)
    kinds_M = codes_N[at_M]
    pairs = np.flatnonzero((kinds_M[:-1] == _OPEN) & (kinds_M[1:] == _CLOSE))
    return at_M[pairs], at_M[pairs + 1]


def _ring_numbers(codes_N: npt.NDArray[np.unsignedinteger], inside_N: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    at = np.flatnonzero(codes_N[:-2] == _PERCENT)
    digits = (codes_N >= ord("0")) & (codes_N <= ord("9"))
    return at[digits[at + 1] & digits[at + 2] & ~inside_N[at]]
