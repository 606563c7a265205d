"""Tells what is written like a name."""

from __future__ import annotations

import unicodedata

import seqgen

_SEPARATORS = "'’-. "
_BEHIND_A_PERIOD = "- "  # "St. John", "J.-P."


class NameValidator:
    """Accepts letters with their marks, and between them an apostrophe, a hyphen, a period or a single space.

    A name begins with a capital letter, or with a letter of a script that has none, and ends in a letter or a period.
    Two separators stand together only where a space or a hyphen follows a period. The canonical form is Unicode NFC.
    """

    def validate(self, text: str) -> seqgen.Verdict:
        """The verdict on one text; the reason gives the 0-based position."""
        reason = _what_is_wrong(text)
        return seqgen.Verdict(False, reason) if reason else seqgen.Verdict(True, "", unicodedata.normalize("NFC", text))


def _what_is_wrong(text: str) -> str:
    if not text:
        return "it is empty"
    if not _may_begin(text[0]):
        return f"it begins with {text[0]!r}, which is no capital letter"
    before = ""
    for position, character in enumerate(text):
        if character in _SEPARATORS:
            if before in _SEPARATORS and not (before == "." and character in _BEHIND_A_PERIOD):
                return f"{character!r} at position {position} follows {before!r}"
        elif _is_mark(character):
            if before in _SEPARATORS:
                return f"the mark {character!r} at position {position} stands on no letter"
        elif not character.isalpha():
            return f"{character!r} at position {position} is no letter"
        before = character
    if before in _SEPARATORS and before != ".":
        return f"it ends in {before!r}, at position {len(text) - 1}"
    return ""


def _may_begin(character: str) -> bool:
    """Capital letters, title-case ones, and letters that know no case."""
    return character.isalpha() and not character.islower() and unicodedata.category(character) != "Lm"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")
