"""A tokenizer that writes a capital as two symbols, a shift and the lower-case letter."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import seqgen

SHIFT = 0


class ShiftTokenizer(seqgen.Tokenizer):
    """A tokenizer whose symbol 0 capitalizes the next one; the others are characters.

    Args:
        alphabet: the characters of symbols 1, 2, ...
    """

    def __init__(self, alphabet: Sequence[str]) -> None:
        self._alphabet = list(alphabet)
        self._id_of = {character: index for index, character in enumerate(self._alphabet, SHIFT + 1)}

    @property
    def n_symbols(self) -> int:
        """Return the number of symbols: the shift and the characters."""
        return 1 + len(self._alphabet)

    @classmethod
    def fit(cls, texts: Iterable[str]) -> Self:
        """Learn every character that occurs."""
        return cls(sorted({_lower(character) for text in texts for character in text}))

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            UnknownSymbol: it contains a character that is not in the alphabet.
        """
        ids = []
        for position, character in enumerate(text):
            lower = _lower(character)
            if lower not in self._id_of:
                raise seqgen.UnknownSymbol(character, position, seqgen.nearest(character, self._alphabet))
            ids += [SHIFT, self._id_of[lower]] if lower != character else [self._id_of[lower]]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; a shift that does not precede a letter with a capital is ignored."""
        text, shifted = "", False
        for index in ids:
            if index == SHIFT:
                shifted = True
                continue
            character = self._alphabet[index - 1]
            text += character.upper() if shifted and _lower(character.upper()) == character else character
            shifted = False
        return text

    def to_json(self) -> dict[str, Any]:
        """Return the alphabet."""
        return {"alphabet": self._alphabet}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the tokenizer that ``to_json`` described."""
        return cls(data["alphabet"])


def _lower(character: str) -> str:
    """Return the lower-case form of a capital if it is one character that maps back; else the character."""
    lower = character.lower()
    return lower if len(lower) == 1 and lower.upper() == character else character
