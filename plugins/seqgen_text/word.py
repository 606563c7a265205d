"""Word tokenizer: symbols are words, numbers, punctuation and whitespace; rare words are spelled out.

Dimension letters: N texts, P pieces, S symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import seqgen
from seqgen_text.options import MaxWords, MinCount, Pattern
from seqgen_text.word_split import WordSplitter, frequent_words

if TYPE_CHECKING:
    import numpy.typing as npt


class WordTokenizer(seqgen.Tokenizer):
    """A word tokenizer; ids are all characters of the corpus, then its frequent words, each by code point.

    A text is split into pieces; a piece without an id is spelled with characters. So any sequence of ids decodes to a
    text, and every text of known characters decodes to itself.

    Args:
        split: splits a text into pieces.
        characters: the known characters; duplicates are dropped.
        words: pieces of several characters.
    """

    def __init__(self, split: WordSplitter, characters: Iterable[str], words: Iterable[str]) -> None:
        self._split = split
        self.symbols = [*sorted(set(characters)), *sorted(set(words))]
        self._id_of = {symbol: index for index, symbol in enumerate(self.symbols)}

    @classmethod
    def fit(  # type: ignore[override]
        cls, texts: Iterable[str], *, min_count: MinCount = 2, max_words: MaxWords = 20_000, pattern: Pattern = None
    ) -> Self:
        """Learn characters and words from the same texts, in one pass; see :meth:`fit_parts`."""
        split = WordSplitter(pattern)
        counts = split.count(texts)
        return cls(split, chain.from_iterable(counts), frequent_words(counts, min_count, max_words))

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
        """Learn the characters from all texts and the words from the training texts.

        Each is iterated once; memory grows with the number of different pieces.

        Raises:
            BadOption: the pattern is not a valid regular expression.
        """
        split, characters = WordSplitter(pattern), set(chain.from_iterable(texts))
        return cls(split, characters, frequent_words(split.count(training), min_count, max_words))

    @property
    def n_symbols(self) -> int:
        """Return the number of characters and words."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            UnknownSymbol: a character did not occur in the corpus.
        """
        ids: list[int] = []
        try:
            for piece in self._split(text):
                found = self._id_of.get(piece)
                ids += [self._id_of[character] for character in piece] if found is None else [found]
        except KeyError as error:
            symbol, known = str(error.args[0]), [piece for piece in self._id_of if len(piece) == 1]
            raise seqgen.UnknownSymbol(symbol, text.index(symbol), seqgen.nearest(symbol, known)) from None
        return ids

    def encode_many(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the concatenated ids of the texts, and each text's number of ids.

        Raises:
            UnknownSymbol: a character did not occur in the corpus.
        """
        rows = list(map(self._split, texts))
        pieces = list(chain.from_iterable(rows))
        ids_P = np.fromiter(map(self._id_of.get, pieces, repeat(-1)), np.int32, len(pieces))
        spelled = [pieces[at] for at in np.flatnonzero(ids_P < 0).tolist()]
        sizes_P = np.ones(len(pieces), np.int64)
        sizes_P[ids_P < 0] = list(map(len, spelled))
        ids_S = np.repeat(ids_P, sizes_P)  # a spelled piece has one entry per character
        ids_S[ids_S < 0] = list(map(self._id_of.get, chain.from_iterable(spelled), repeat(-1)))
        if ids_S.size and ids_S.min() < 0:
            for text in texts:
                self.encode(text)  # raises, with the symbol and its position
        ends_P = np.concatenate([[0], np.cumsum(sizes_P)])
        return ids_S, np.diff(ends_P[np.cumsum([0, *map(len, rows)])])

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the ids."""
        return "".join([self.symbols[index] for index in ids])

    def to_json(self) -> dict[str, Any]:
        """Return the pattern, and the symbols in id order."""
        return {"pattern": self._split.pattern, "symbols": self.symbols}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build the tokenizer from the output of ``to_json``."""
        characters = [symbol for symbol in data["symbols"] if len(symbol) == 1]
        return cls(WordSplitter(data["pattern"]), characters, data["symbols"][len(characters) :])
