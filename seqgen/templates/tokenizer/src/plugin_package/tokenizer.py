"""Large letters as two symbols: a shift, and the small letter."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import seqgen

SHIFT = 0


class ShiftTokenizer(seqgen.Tokenizer):
    """Symbol 0 makes the next one large; the others are characters.

    Args:
        alphabet: the characters.
    """

    def __init__(self, alphabet: Sequence[str]) -> None:
        self._alphabet = list(alphabet)
        self._id_of = {character: index for index, character in enumerate(self._alphabet, SHIFT + 1)}

    @property
    def n_symbols(self) -> int:
        """The shift and the characters."""
        return 1 + len(self._alphabet)

    @classmethod
    def fit(cls, texts: Iterable[str]) -> Self:
        """Every character that occurs."""
        return cls(sorted({_small(character) for text in texts for character in text}))

    def encode(self, text: str) -> list[int]:
        """The ids of a text.

        Raises:
            UnknownSymbol: it holds a character that the corpus did not.
        """
        ids = []
        for position, character in enumerate(text):
            small = _small(character)
            if small not in self._id_of:
                raise seqgen.UnknownSymbol(character, position, seqgen.nearest(character, self._alphabet))
            ids += [SHIFT, self._id_of[small]] if small != character else [self._id_of[small]]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; a shift before nothing, or before what has no large form, says nothing."""
        text, shifted = "", False
        for index in ids:
            if index == SHIFT:
                shifted = True
                continue
            character = self._alphabet[index - 1]
            text += character.upper() if shifted and _small(character.upper()) == character else character
            shifted = False
        return text

    def to_json(self) -> dict[str, Any]:
        """The alphabet."""
        return {"alphabet": self._alphabet}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The tokenizer that ``to_json`` described."""
        return cls(data["alphabet"])


def _small(character: str) -> str:
    """The small letter of a large one, where that is one character that leads back; else the character."""
    small = character.lower()
    return small if len(small) == 1 and small.upper() == character else character
