"""A symbol is a word, a number, a mark or a blank; what is rare is spelled with characters.

Dimension letters: N texts, P pieces, S symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import seqgen
from seqgen_text.options import MaxWords, MinCount, Pattern
from seqgen_text.pieces import Cutter, frequent

if TYPE_CHECKING:
    import numpy.typing as npt


class WordTokenizer(seqgen.Tokenizer):
    """Ids of all characters of the corpus, then of its frequent pieces, each in the order of code points.

    A text is cut into pieces, each character in exactly one; a piece without an id of its own is spelled. So any ids
    in any order are a text, and every text of known characters comes back as it was.

    Args:
        cut: what cuts a text.
        characters: the known ones; duplicates are dropped.
        words: pieces of several characters.
    """

    def __init__(self, cut: Cutter, characters: Iterable[str], words: Iterable[str]) -> None:
        self._cut = cut
        self.symbols = [*sorted(set(characters)), *sorted(set(words))]
        self._id_of = {symbol: index for index, symbol in enumerate(self.symbols)}

    @classmethod
    def fit(  # type: ignore[override]
        cls, texts: Iterable[str], *, min_count: MinCount = 2, max_words: MaxWords = 20_000, pattern: Pattern = None
    ) -> Self:
        """Learn characters and words from the same texts, in one pass; see :meth:`fit_parts`."""
        cut = Cutter(pattern)
        counts = cut.count(texts)
        return cls(cut, chain.from_iterable(counts), frequent(counts, min_count, max_words))

    @classmethod
    def fit_parts(
        cls,
        texts: Iterable[str],
        training: Iterable[str],
        *,
        min_count: MinCount = 2,
        max_words: MaxWords = 20_000,
        pattern: Pattern = None,
    ) -> Self:
        """Learn the characters from all texts and the words from those of the training part.

        Each is iterated once; memory grows with the number of different pieces.

        Raises:
            BadOption: the pattern is no regular expression.
        """
        cut, characters = Cutter(pattern), set(chain.from_iterable(texts))
        return cls(cut, characters, frequent(cut.count(training), min_count, max_words))

    @property
    def n_symbols(self) -> int:
        """How many characters and words have an id."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """The ids of a text.

        Raises:
            UnknownSymbol: a character never stood in the corpus.
        """
        ids: list[int] = []
        try:
            for piece in self._cut(text):
                found = self._id_of.get(piece)
                ids += [self._id_of[character] for character in piece] if found is None else [found]
        except KeyError as error:
            symbol, known = str(error.args[0]), [piece for piece in self._id_of if len(piece) == 1]
            raise seqgen.UnknownSymbol(symbol, text.index(symbol), seqgen.nearest(symbol, known)) from None
        return ids

    def encode_many(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """All ids of many texts one after another, and how many each has.

        Raises:
            UnknownSymbol: a character never stood in the corpus.
        """
        rows = list(map(self._cut, texts))
        pieces = list(chain.from_iterable(rows))
        ids_P = np.fromiter(map(self._id_of.get, pieces, repeat(-1)), np.int32, len(pieces))
        spelled = [pieces[at] for at in np.flatnonzero(ids_P < 0).tolist()]
        sizes_P = np.ones(len(pieces), np.int64)
        sizes_P[ids_P < 0] = list(map(len, spelled))
        ids_S = np.repeat(ids_P, sizes_P)  # a piece that is spelled has as many places as characters
        ids_S[ids_S < 0] = list(map(self._id_of.get, chain.from_iterable(spelled), repeat(-1)))
        if ids_S.size and ids_S.min() < 0:
            for text in texts:
                self.encode(text)  # raises with the symbol and its place
        ends_P = np.concatenate([[0], np.cumsum(sizes_P)])
        return ids_S, np.diff(ends_P[np.cumsum([0, *map(len, rows)])])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return "".join([self.symbols[index] for index in ids])

    def to_json(self) -> dict[str, Any]:
        """The pattern, and the symbols in the order of their ids."""
        return {"pattern": self._cut.pattern, "symbols": self.symbols}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The tokenizer that ``to_json`` described."""
        characters = [symbol for symbol in data["symbols"] if len(symbol) == 1]
        return cls(Cutter(data["pattern"]), characters, data["symbols"][len(characters) :])
