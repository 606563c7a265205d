"""The words of ABC: notes, rests, bar lines, fields and the rest, found one after another in a text.

Every character of a text belongs to exactly one word, so the words of any text, joined, are that text again.
Source: the ABC music standard 2.1 (December 2011), sections 3 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LENGTH = r"[0-9]*(?:/[0-9]+|/*)"
"""A multiple of the unit note length: "2", "3/2", "/", "//"; "" is one."""
PITCH = r"(?:\^\^?|__?|=)?[A-Ga-g][,']*"
NOTE = PITCH + LENGTH
MARK = r"[.~H-Wh-w]|![^!\s|:\[\]]+!"
"""Decorations: one letter, or a name between exclamation marks; no letter that is a note, a rest or a spacer."""
BARLINE = r"(?::|\|\]?|\[\|\]?)(?::|\|\]?|\[\||\])*"
ENDING = r"[1-9](?:[,-][1-9])*"

_KINDS = {
    # a line of music may begin with "T:|" or "A:|", which is a note or mark and a bar line
    "field": r"^[A-Zmrsw]:(?![|:\]])[^\n]*\n?",
    "inline": r"\[[A-Zmr]:(?![|:\]])[^\]\n]*\]",
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
_WORD = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()), re.MULTILINE | re.DOTALL)
_NOTE_OR_LENGTH = re.compile(rf"{NOTE}|[0-9]+(?:/[0-9]+|/*)|/+[0-9]*|.", re.DOTALL)
_PARTS = re.compile(rf"(\^\^?|__?|=)?([A-Ga-gxz][,']*)({LENGTH})")

Word = tuple[str, str, int]
"""A word: its kind, such as "note" ("other" is a character that ABC does not know), its characters, and the 0-based
position of the first one."""


def words(text: str, start: int = 0) -> Iterator[Word]:
    """The words of a text from a position on; joined, they are the text."""
    for match in _WORD.finditer(text, start):
        yield match.lastgroup or "other", match.group(), match.start()


def pieces(kind: str, word: str) -> list[str]:
    """What a word is made of: the notes of a chord; the accidental, letter and length of a note; at last, characters.

    ConcatenatedRecords, they are the word; each is shorter than the word, unless it is one character.
    """
    parts: list[str] = []
    if kind in ("chord", "grace"):
        parts = _NOTE_OR_LENGTH.findall(word)
    elif kind in ("note", "rest"):
        parts = [part for part in _PARTS.fullmatch(word).groups("") if part]  # type: ignore[union-attr]
    elif kind == "bar":
        parts = [part for part in (word.rstrip("123456789,-"), word.lstrip("[]|:")) if part]
    return parts if len(parts) > 1 else list(word)
