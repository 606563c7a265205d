"""Tokenizer of ABC: symbols are notes with accidental, octave and length, bar lines, header lines, ...

Rare tokens are split: a chord into its notes, a note into accidental, letter and length, anything else into characters.
So the vocabulary stays small, and every text of known characters can be encoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Field

import seqgen
from seqgen_tunes.lexer import lex, split_token

_CACHE_SIZE = 100_000
MinCount = Annotated[
    int, Field(ge=1, description="occurrences an ABC token needs to be one symbol; rarer tokens are split into parts")
]


class AbcTokenizer(seqgen.Tokenizer):
    """A tokenizer whose ids are ABC tokens, the most frequent one first.

    In this order the boundaries between the cumulated probabilities of rare tokens lie near one, where rounding moves
    them least, so that an exported page seldom samples another token than Python does.

    Args:
        symbols: the known tokens in the order of their ids, including all known characters.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        """Number the symbols."""
        self.symbols = list(dict.fromkeys(symbols))
        self._id_of = {symbol: index for index, symbol in enumerate(self.symbols)}
        self._known: dict[str, tuple[int, ...]] = {}

    @classmethod
    def fit(cls, texts: Iterable[str], *, min_count: MinCount = 2) -> Self:  # type: ignore[override]
        """Learn every character of the texts, and the tokens and parts of tokens that are frequent enough."""
        return cls.fit_parts(texts, None, min_count=min_count)

    @classmethod
    def fit_parts(cls, texts: Iterable[str], training: Iterable[str] | None, *, min_count: MinCount = 2) -> Self:
        """Learn the characters of all texts, and the tokens and parts of tokens of the training texts.

        Args:
            texts: all texts, iterated once.
            training: the training texts; None: the same as ``texts``.
            min_count: see :meth:`fit`.
        """
        characters: set[str] = set()
        counts: Counter[tuple[str, str]] = Counter()
        for text in texts:
            characters.update(text)
            if training is None:
                counts.update((kind, word) for kind, word, _ in lex(text))
        for text in training or ():
            counts.update((kind, word) for kind, word, _ in lex(text))
        frequent: Counter[str] = Counter()
        while counts:
            parts: Counter[tuple[str, str]] = Counter()
            for (kind, word), count in counts.items():
                if count >= min_count:
                    frequent[word] += count
                elif len(word) > 1:
                    for part in split_token(kind, word):
                        parts[_kind(part), part] += count
            counts = Counter({part: count for part, count in parts.items() if part[1] not in frequent})
        known = characters | {word for word in frequent if characters.issuperset(word)}
        return cls(sorted(known, key=lambda word: (-frequent[word], word)))

    @property
    def n_symbols(self) -> int:
        """Return the number of known tokens and characters."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            UnknownSymbol: a character is not known.
        """
        ids: list[int] = []
        for kind, word, at in lex(text):
            known = self._known.get(word)
            if known is None:
                known = tuple(self._spell(kind, word, at))
                if len(self._known) < _CACHE_SIZE:
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
            for part in split_token(kind, word):
                yield from self._spell(_kind(part), part, at)
                at += len(part)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the ids."""
        return "".join([self.symbols[index] for index in ids])

    def to_json(self) -> dict[str, Any]:
        """Return the symbols."""
        return {"symbols": self.symbols}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build the tokenizer from the output of ``to_json``."""
        return cls(data["symbols"])


def _kind(part: str) -> str:
    """Return the kind of a part of a token, by which it may be split further."""
    return next((kind for kind, word, _ in lex(part) if word == part), "other")
