"""Vectorized segmentation of many texts into tokens.

Dimension letters: N characters of all texts, including one separator after each text; T texts; K tokens of several
characters; M brackets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_OPEN, _CLOSE, _PERCENT = ord("["), ord("]"), ord("%")


@dataclass(frozen=True)
class Segmentation:
    """Texts split into tokens.

    Attributes:
        joined: the texts with a line end after each.
        codes_N: the code points of ``joined``.
        begins_N: True where a token begins; False at the separators.
        ends_T: positions of the separators, one per text.
        starts_K: positions where tokens of several characters begin.
        stops_K: positions where they end, exclusive.
    """

    joined: str
    codes_N: npt.NDArray[np.unsignedinteger]
    begins_N: npt.NDArray[np.bool_]
    ends_T: npt.NDArray[np.int64]
    starts_K: npt.NDArray[np.int64]
    stops_K: npt.NDArray[np.int64]

    def longer(self) -> list[str]:
        """Return the tokens of several characters, in the order of ``starts_K``."""
        joined = self.joined
        return [joined[start:stop] for start, stop in zip(self.starts_K.tolist(), self.stops_K.tolist(), strict=True)]

    def singles(self) -> set[str]:
        """Return the distinct tokens of one character."""
        alone_N = self.begins_N.copy()
        alone_N[self.starts_K] = False
        return set(map(chr, np.unique(self.codes_N[alone_N]).tolist()))

    def lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of tokens of each text, (T,)."""
        return np.diff(np.cumsum(self.begins_N)[self.ends_T], prepend=0).astype(np.int64)


def segment(texts: Sequence[str], pairs: Sequence[str], ring_numbers: bool) -> Segmentation:
    """Split texts into tokens: bracketed groups, letter pairs, ring numbers, else single characters.

    Args:
        texts: any texts.
        pairs: two letters that form one token outside brackets.
        ring_numbers: make ``%`` and two digits one token outside brackets.
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
    return Segmentation(joined, codes_N, begins_N, ends_T, np.concatenate(starts), np.concatenate(stops))


def _codes(joined: str) -> npt.NDArray[np.unsignedinteger]:
    """Return the code points, as bytes if all texts are ASCII."""
    if joined.isascii():
        return np.frombuffer(joined.encode("ascii"), dtype=np.uint8)
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _brackets(
    codes_N: npt.NDArray[np.unsignedinteger], ends_T: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the positions of matching brackets without a bracket in between, within one text."""
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
