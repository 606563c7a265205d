"""The character tokenizer: one symbol per Unicode code point."""

from __future__ import annotations

import contextlib
import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqgen.errors import STRAIGHT_QUOTES, CorpusError, UnknownSymbol
from seqgen.protocols import Tokenizer

if TYPE_CHECKING:
    from seqgen.protocols import Ids, Lengths


_MAX_SYMBOLS = 1 << 16  # a Chinese corpus has some 20,000
_LOW = 256  # code points of Latin-1
_TOGETHER = 128  # texts whose symbols are collected together; small, since pieces of a long text are long


class CharTokenizer(Tokenizer):
    """A tokenizer with one id per character, in code point order.

    Args:
        symbols: the alphabet; duplicates are dropped.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = sorted(set(symbols))
        self._id_of = {symbol: index for index, symbol in enumerate(self.symbols)}
        codes = np.array([ord(symbol) for symbol in self.symbols], dtype=np.int64)
        self._codes = codes.astype("<u4")
        self._other = next(code for code in itertools.count(1) if chr(code) not in self._id_of)
        self._id_of_code = np.full(int(codes.max(initial=0)) + 2, -1, dtype=np.int32)
        self._id_of_code[codes] = np.arange(len(codes))
        # Most texts use only the first 256 code points, for which bytes.translate is the fastest lookup.
        low = codes[codes < _LOW]
        self._id_of_low = np.full(_LOW, _LOW - 1, dtype=np.uint8)
        self._id_of_low[low] = np.arange(len(low))
        self._has_low = 0 < len(low) < _LOW

    @classmethod
    def fit(cls, texts: Iterable[str], **options: Any) -> Self:
        """Learn the alphabet of the texts.

        Raises:
            CorpusError: there are more than 65,536 different characters.
        """
        symbols: set[str] = set()
        iterator = iter(texts)
        while chunk := list(itertools.islice(iterator, _TOGETHER)):
            symbols.update("".join(chunk))
            _check_number(symbols)
        return cls(symbols)

    @classmethod
    def join(cls, fitted: Sequence[Self]) -> Self:
        """Return the tokenizer of all texts, given those of several parts of them.

        Raises:
            CorpusError: there are more than 65,536 different characters.
        """
        symbols = set[str]().union(*(one.symbols for one in fitted))
        _check_number(symbols)
        return cls(symbols)

    @property
    def n_symbols(self) -> int:
        """Return the size of the alphabet."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            UnknownSymbol: a character is not in the alphabet.
        """
        try:
            return [self._id_of[character] for character in text]
        except KeyError as error:
            symbol = str(error.args[0])
            raise UnknownSymbol(symbol, text.index(symbol), nearest(symbol, self.symbols)) from None

    def encode_many(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """Return the concatenated ids of many texts, (N,), and the length of each, by one table lookup."""
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        joined = "".join(texts)
        ids, unknown = self._look_up(joined)
        if ids.size and (unknown_N := ids == unknown).any():
            row = int(np.searchsorted(np.cumsum(lengths), int(np.argmax(unknown_N)), side="right"))
            self.encode(texts[row])  # raises with the symbol and its position
        return ids, lengths

    def _look_up(self, text: str) -> tuple[Ids, int]:
        """Return the ids of a text, and the value that stands for unknown characters."""
        if self._has_low:
            with contextlib.suppress(UnicodeEncodeError):
                low = text.encode("latin-1").translate(self._id_of_low.tobytes())
                return np.frombuffer(low, dtype=np.uint8), _LOW - 1
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        return self._id_of_code[np.minimum(codes, len(self._id_of_code) - 1)], -1

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of a sequence of ids."""
        return "".join([self.symbols[index] for index in ids])

    def decode_many(self, flat: Ids, lengths: Lengths) -> list[str]:
        """Return the texts of many rows of ids by one table lookup and one split."""
        # Rows are separated by a character outside the alphabet, since str.split is the fastest way to cut them.
        codes = np.full(len(flat) + len(lengths), self._other, dtype="<u4")
        is_symbol = np.ones(len(codes), dtype=bool)
        is_symbol[np.cumsum(lengths) + np.arange(len(lengths))] = False
        codes[is_symbol] = self._codes[flat]
        return codes.tobytes().decode("utf-32-le", "surrogatepass").split(chr(self._other))[:-1]

    def to_json(self) -> dict[str, Any]:
        """Return the alphabet."""
        return {"symbols": self.symbols}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the tokenizer that ``to_json`` described."""
        return cls(data["symbols"])


def _check_number(symbols: set[str]) -> None:
    if len(symbols) > _MAX_SYMBOLS:
        raise CorpusError(
            f"cannot fit the tokenizer: the corpus has more than {_MAX_SYMBOLS:,} different characters; "
            "--tokenizer byte handles any text with 256 symbols"
        )


def nearest(symbol: str, known: Sequence[str], n: int = 3) -> list[str]:
    """Return the known characters most similar to a symbol, the most similar first.

    Similar means: the same letter in the other case, the same base letter, the same Unicode category, a close code
    point.

    Args:
        symbol: an unknown character.
        known: the known characters.
        n: the number of characters to return at most.
    """

    def base(character: str) -> str:
        return unicodedata.normalize("NFKD", STRAIGHT_QUOTES.get(character, character))[0].casefold()

    def distance(candidate: str) -> tuple[bool, bool, bool, int]:
        return (
            candidate.casefold() != symbol.casefold(),
            base(candidate) != base(symbol),
            unicodedata.category(candidate) != unicodedata.category(symbol),
            abs(ord(candidate) - ord(symbol)),
        )

    return sorted(known, key=distance)[:n]
