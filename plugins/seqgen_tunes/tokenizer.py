"""A symbol is a word of ABC: a note with accidental, octave and length, a bar line, a line of the header, ...

A word that is rare is spelled: a chord by its notes, a note by its accidental, letter and length, anything by its
characters. So the vocabulary stays small, and every text whose characters are known can be written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Field

import seqgen
from seqgen_tunes.words import pieces, words

_REMEMBERED = 100_000
MinCount = Annotated[
    int, Field(ge=1, description="a word of several characters that occurs less often is spelled by its parts")
]


class AbcTokenizer(seqgen.Tokenizer):
    """Ids of ABC words, in the order of code points.

    Args:
        symbols: the known words, all known characters among them.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        """Number the symbols."""
        self.symbols = sorted(set(symbols))
        self._id_of = {symbol: index for index, symbol in enumerate(self.symbols)}
        self._known: dict[str, tuple[int, ...]] = {}

    @classmethod
    def fit(cls, texts: Iterable[str], *, min_count: MinCount = 2) -> Self:  # type: ignore[override]
        """Every character of the texts, and the words and parts of words that are frequent enough."""
        return cls.fit_parts(texts, None, min_count=min_count)

    @classmethod
    def fit_parts(cls, texts: Iterable[str], training: Iterable[str] | None, *, min_count: MinCount = 2) -> Self:
        """The characters of all texts, the words and parts of words of the training part.

        Args:
            texts: all texts, iterated once.
            training: those of the training part; None: the same as ``texts``.
            min_count: see :meth:`fit`.
        """
        characters: set[str] = set()
        counts: Counter[tuple[str, str]] = Counter()
        for text in texts:
            characters.update(text)
            if training is None:
                counts.update((kind, word) for kind, word, _ in words(text))
        for text in training or ():
            counts.update((kind, word) for kind, word, _ in words(text))
        frequent: set[str] = set()
        while counts:
            parts: Counter[tuple[str, str]] = Counter()
            for (kind, word), count in counts.items():
                if count >= min_count:
                    frequent.add(word)
                elif len(word) > 1:
                    for part in pieces(kind, word):
                        parts[_kind(part), part] += count
            counts = Counter({part: count for part, count in parts.items() if part[1] not in frequent})
        return cls(characters | {word for word in frequent if characters.issuperset(word)})

    @property
    def n_symbols(self) -> int:
        """How many words and characters are known."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """The ids of a text.

        Raises:
            UnknownSymbol: a character is not known.
        """
        ids: list[int] = []
        for kind, word, at in words(text):
            known = self._known.get(word)
            if known is None:
                known = tuple(self._spell(kind, word, at))
                if len(self._known) < _REMEMBERED:
                    self._known[word] = known
            ids.extend(known)
        return ids

    def _spell(self, kind: str, word: str, at: int) -> Iterable[int]:
        index = self._id_of.get(word)
        if index is not None:
            yield index
        elif len(word) == 1:
            near = [other for other in (word.swapcase(),) if other in self._id_of]
            raise seqgen.UnknownSymbol(word, at, near)
        else:
            for part in pieces(kind, word):
                yield from self._spell(_kind(part), part, at)
                at += len(part)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return "".join([self.symbols[index] for index in ids])

    def to_json(self) -> dict[str, Any]:
        """The words."""
        return {"symbols": self.symbols}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The tokenizer that ``to_json`` described."""
        return cls(data["symbols"])


def _kind(part: str) -> str:
    """Whether a part of a word has parts itself."""
    return next((kind for kind, word, _ in words(part) if word == part), "other")
