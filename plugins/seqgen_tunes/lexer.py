"""Lexer of ABC: splits a text into notes, rests, bar lines, fields and other tokens.

Every character of a text belongs to exactly one token, so the tokens of a text join to the text.
Source: the ABC music standard 2.1 (December 2011), sections 3 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LENGTH = r"[0-9]*(?:/[0-9]+|/*)"
"""A multiple of the unit note length: "2", "3/2", "/", "//"; "" means 1."""
PITCH = r"(?:\^\^?|__?|=)?[A-Ga-g][,']*"
NOTE = PITCH + LENGTH
MARK = r"[.~H-Wh-w]|![^!\s|:\[\]]+!"
"""Decorations: one letter other than notes, rests and spacers, or a name between exclamation marks."""
BARLINE = r"(?::|\|\]?|\[\|\]?)(?::|\|\]?|\[\||\])*"
ENDING = r"[1-9](?:[,-][1-9])*"

_KINDS = {
    # "T:|" or "A:|" at the start of a line of music is a note or decoration and a bar line, not a field
    "field": r"^[A-Zmrsw]:(?![|:\]])[^\n]*\n?",
    "inline": r"\[[A-Zmr]:(?![|:\]])[^\[\]\n]*\]",
    "quoted": r'"[^"\n]*"',
    "grace": r"\{[^{}\n]*\}",
    "chord": rf"\[(?:(?:{MARK})*{NOTE}-?)+\]{LENGTH}",
    "bar": rf"{BARLINE}(?:\[?{ENDING})?|\[{ENDING}",
    "tuplet": r"\([2-9](?::[1-9]?(?::(?:[1-9][0-9]?)?)?)?",
    "note": NOTE,
    "rest": rf"[xz]{LENGTH}",
    "bars_rest": r"[XZ][0-9]*",
    "broken": r">{1,3}|<{1,3}",
    "mark": MARK,
    "slur": r"[()]",
    "tie": r"-",
    "blank": r"[ \t\n\r`]|y[0-9]*|\\\n",
    "other": r".",
}
KINDS = tuple(_KINDS)
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()), re.MULTILINE | re.DOTALL)
_NOTE_OR_LENGTH = re.compile(rf"{NOTE}|[0-9]+(?:/[0-9]+|/*)|/+[0-9]*|.", re.DOTALL)
_PARTS = re.compile(rf"(\^\^?|__?|=)?([A-Ga-gxz][,']*)({LENGTH})")

Token = tuple[str, str, int]
"""Kind, such as "note" ("other" is a character without meaning in ABC), text, and 0-based position of a token."""


def lex(text: str, start: int = 0) -> Iterator[Token]:
    """Yield the tokens of a text from a position on; they join to the text."""
    for match in _TOKEN.finditer(text, start):
        yield match.lastgroup or "other", match.group(), match.start()


def split_token(kind: str, word: str) -> list[str]:
    """Split a token: a chord into notes; a note into accidental, letter and length; anything else into characters.

    The parts join to the token; each is shorter than the token, unless the token is one character.
    """
    parts: list[str] = []
    if kind in ("chord", "grace"):
        parts = _NOTE_OR_LENGTH.findall(word)
    elif kind in ("note", "rest"):
        parts = [part for part in _PARTS.fullmatch(word).groups("") if part]  # type: ignore[union-attr]
    elif kind == "bar":
        parts = [part for part in (word.rstrip("123456789,-"), word.lstrip("[]|:")) if part]
    return parts if len(parts) > 1 else list(word)
