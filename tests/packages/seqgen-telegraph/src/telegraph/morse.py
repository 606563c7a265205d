"""Morse code: the table, texts as dots and dashes, and how long they take."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any, Self

import seqgen

CODES = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/?",
        (
            ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- "
            "...- .-- -..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. "
            "-..-. ..--.."
        ).split(),
        strict=True,
    )
)
LETTERS = {code: letter for letter, code in CODES.items()}
SIGNS = ".-|"
"""Dot, dash, and the gap after each letter."""


def code(character: str) -> str:
    """The code of a character; one that has none stands for itself."""
    return CODES.get(character, character)


class MorseTokenizer(seqgen.Tokenizer):
    """Ids 0, 1 and 2 are dot, dash and gap; then come the characters that have no code.

    Args:
        others: those characters.
    """

    def __init__(self, others: Sequence[str] = ()) -> None:
        self._others = list(others)
        self._id_of = {other: number for number, other in enumerate(self._others, len(SIGNS))}

    @property
    def n_symbols(self) -> int:
        return len(SIGNS) + len(self._others)

    @classmethod
    def fit(cls, texts: Iterable[str]) -> Self:
        return cls(sorted({character for text in texts for character in text} - CODES.keys()))

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for position, character in enumerate(text):
            if character in CODES:
                ids += [SIGNS.index(sign) for sign in CODES[character] + "|"]
            elif character in self._id_of:
                ids.append(self._id_of[character])
            else:
                near = seqgen.nearest(character, [*CODES, *self._others])
                raise seqgen.UnknownSymbol(character, position, near)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text; a run of signs that is no letter's code is left out."""
        text, signs = "", ""
        for number in ids:
            if number >= len(SIGNS):
                text, signs = text + self._others[number - len(SIGNS)], ""
            elif SIGNS[number] == "|":
                text, signs = text + LETTERS.get(signs, ""), ""
            else:
                signs += SIGNS[number]
        return text

    def to_json(self) -> dict[str, Any]:
        return {"others": self._others}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["others"])


class KeyingMetric:
    """A dash lasts three dots; between signs is one, between letters are three."""

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float]:
        return {"dots": _mean(samples), "dots_held_out": _mean(reference)}


def _mean(texts: Sequence[str]) -> float:
    return float(mean(map(dots, texts))) if texts else float("nan")


def dots(text: str) -> int:
    """How many dots a text lasts."""
    codes = [code(character) for character in text.upper()]
    return sum(2 + sum(4 if sign == "-" else 2 for sign in signs) for signs in codes)
