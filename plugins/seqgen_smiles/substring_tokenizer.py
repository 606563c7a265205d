"""The base of tokenizers whose symbols are substrings that join to the text.

A character that starts no longer token is a token itself, so every text can be tokenized. Batches are tokenized by
array operations, with the same result.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import seqgen
from seqgen_smiles.segmentation import Segmentation, segment

if TYPE_CHECKING:
    import numpy.typing as npt

_BATCH_SIZE = 8192


class SubstringTokenizer(seqgen.Tokenizer):
    """A tokenizer whose ids are substrings in sorted order; subclasses define the substrings.

    Args:
        symbols: the known substrings; duplicates are dropped.
    """

    pattern: re.Pattern[str]
    """Matches one token at any position of any text."""
    pairs: tuple[str, ...] = ()
    """Tokens of two letters."""
    ring_numbers = False
    """True if ``%`` and two digits form a token."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = sorted(set(symbols))
        self._id_of = {symbol: index for index, symbol in enumerate(self.symbols)}
        singles = {ord(symbol): index for symbol, index in self._id_of.items() if len(symbol) == 1}
        self._id_of_code = np.full(max(singles, default=0) + 2, -1, dtype=np.int32)
        self._id_of_code[list(singles)] = list(singles.values())
        self._length_of = np.array([len(symbol) for symbol in self.symbols], dtype=np.int64)

    @classmethod
    def _segment(cls, texts: Sequence[str]) -> Segmentation:
        return segment(texts, cls.pairs, cls.ring_numbers)

    @classmethod
    def fit(cls, texts: Iterable[str], **options: Any) -> Self:
        """Learn every token of the texts."""
        symbols: set[str] = set()
        rest = iter(texts)
        while batch := list(islice(rest, _BATCH_SIZE)):
            found = cls._segment(batch)
            symbols |= found.singles()
            symbols.update(found.longer())
        return cls(symbols)

    @classmethod
    def join(cls, fitted: Sequence[Self]) -> Self:
        """Return the tokenizer of all texts, given those of several parts of them."""
        return cls(set[str]().union(*(one.symbols for one in fitted)))

    @property
    def n_symbols(self) -> int:
        """Return the number of known tokens."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            UnknownSymbol: a token is not known.
        """
        try:
            return [self._id_of[piece] for piece in self.pattern.findall(text)]
        except KeyError:
            unknown = next(match for match in self.pattern.finditer(text) if match[0] not in self._id_of)
            near = difflib.get_close_matches(unknown[0], self.symbols, cutoff=0.4)
            raise seqgen.UnknownSymbol(unknown[0], unknown.start(), near, self.hint(unknown[0])) from None

    def hint(self, symbol: str) -> str:
        """Return a clause on how to write texts without an unknown symbol, or ""."""
        return ""

    def encode_many(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the concatenated ids of the texts, and each text's number of ids."""
        found = self._segment(texts)
        largest = np.iinfo(found.codes_N.dtype).max  # 255 if the texts are ASCII but some symbol is not
        ids_N = self._id_of_code[np.minimum(found.codes_N, min(len(self._id_of_code) - 1, largest))]
        ids_N[found.starts_K] = [self._id_of.get(piece, -1) for piece in found.longer()]
        flat, lengths = ids_N[found.begins_N], found.lengths()
        if flat.size and flat.min() < 0:
            row = int(np.searchsorted(np.cumsum(lengths), int(np.argmax(flat < 0)), side="right"))
            self.encode(texts[row])  # raises, with the token and its position
        return flat, lengths

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the ids."""
        return "".join([self.symbols[index] for index in ids])

    def decode_many(self, flat: npt.NDArray[np.integer[Any]], lengths: npt.NDArray[np.int64]) -> list[str]:
        """Return the texts of many rows of ids, joined once and split at each row's end."""
        joined = self.decode(flat.tolist())
        chars = np.concatenate(([0], np.cumsum(self._length_of[flat])))
        ends = chars[np.cumsum(lengths)].tolist()
        return [joined[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def to_json(self) -> dict[str, Any]:
        """Return the symbols."""
        return {"symbols": self.symbols}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build the tokenizer from the output of ``to_json``."""
        return cls(data["symbols"])
