"""What tokenizers share whose symbols are pieces of text that join to it again.

What begins no longer piece is a piece of one character, so every text can be cut. Many texts are cut together by
comparing characters in arrays, which finds the same pieces.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import seqgen
from seqgen_smiles.cutting import Cut, cut

if TYPE_CHECKING:
    import numpy.typing as npt

_TOGETHER = 8192


class PieceTokenizer(seqgen.Tokenizer):
    """Pieces, numbered in the order of their text; a subclass says what is one.

    Args:
        symbols: the known pieces; duplicates are dropped.
    """

    pattern: re.Pattern[str]
    """Matches a piece at any place of any text."""
    pairs: tuple[str, ...] = ()
    """Pieces of two letters."""
    ring_numbers = False
    """Whether ``%`` and two digits are a piece."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = sorted(set(symbols))
        self._id_of = {symbol: index for index, symbol in enumerate(self.symbols)}
        singles = {ord(symbol): index for symbol, index in self._id_of.items() if len(symbol) == 1}
        self._id_of_code = np.full(max(singles, default=0) + 2, -1, dtype=np.int32)
        self._id_of_code[list(singles)] = list(singles.values())
        self._length_of = np.array([len(symbol) for symbol in self.symbols], dtype=np.int64)

    @classmethod
    def _cut(cls, texts: Sequence[str]) -> Cut:
        return cut(texts, cls.pairs, cls.ring_numbers)

    @classmethod
    def fit(cls, texts: Iterable[str], **options: Any) -> Self:
        """Every piece of the texts."""
        symbols: set[str] = set()
        rest = iter(texts)
        while batch := list(islice(rest, _TOGETHER)):
            found = cls._cut(batch)
            symbols |= found.singles()
            symbols.update(found.longer())
        return cls(symbols)

    @property
    def n_symbols(self) -> int:
        """How many pieces are known."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """The ids of a text.

        Raises:
            UnknownSymbol: a piece is not known.
        """
        try:
            return [self._id_of[piece] for piece in self.pattern.findall(text)]
        except KeyError:
            unknown = next(match for match in self.pattern.finditer(text) if match[0] not in self._id_of)
            near = difflib.get_close_matches(unknown[0], self.symbols, cutoff=0.4)
            raise seqgen.UnknownSymbol(unknown[0], unknown.start(), near) from None

    def encode_many(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """All ids of many texts one after another, and how many each text has."""
        found = self._cut(texts)
        largest = np.iinfo(found.codes_N.dtype).max  # of a byte, where the texts are ASCII and some symbol is not
        ids_N = self._id_of_code[np.minimum(found.codes_N, min(len(self._id_of_code) - 1, largest))]
        ids_N[found.starts_K] = [self._id_of.get(piece, -1) for piece in found.longer()]
        flat, lengths = ids_N[found.begins_N], found.lengths()
        if flat.size and flat.min() < 0:
            row = int(np.searchsorted(np.cumsum(lengths), int(np.argmax(flat < 0)), side="right"))
            self.encode(texts[row])  # raises with the piece and its place
        return flat, lengths

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return "".join([self.symbols[index] for index in ids])

    def decode_many(self, flat: npt.NDArray[np.integer[Any]], lengths: npt.NDArray[np.int64]) -> list[str]:
        """The texts of many rows of ids, joined once and cut at the end of each."""
        joined = self.decode(flat.tolist())
        chars = np.concatenate(([0], np.cumsum(self._length_of[flat])))
        ends = chars[np.cumsum(lengths)].tolist()
        return [joined[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def to_json(self) -> dict[str, Any]:
        """The pieces."""
        return {"symbols": self.symbols}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The tokenizer that ``to_json`` described."""
        return cls(data["symbols"])
