"""Validator of personal names and place names."""

from __future__ import annotations

import unicodedata

import seqgen

_SEPARATORS = "'’-. "
_AFTER_PERIOD = "- "  # "St. John", "J.-P."


class NameValidator:
    """Accepts letters with combining marks, separated by an apostrophe, a hyphen, a period or a single space.

    A name begins with a capital letter, or a letter of a script without case, and ends in a letter or a period. Two
    separators in a row are allowed only if a space or a hyphen follows a period. The canonical form is Unicode NFC.
    """

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict on a text; the reason gives the 0-based position."""
        reason = _find_problem(text)
        return seqgen.Verdict(False, reason) if reason else seqgen.Verdict(True, "", unicodedata.normalize("NFC", text))


def _find_problem(text: str) -> str:
    if not text:
        return "it is empty"
    if not _may_begin(text[0]):
        return f"it begins with {text[0]!r}, which is not a capital letter"
    before = ""
    for position, character in enumerate(text):
        if character in _SEPARATORS:
            if before in _SEPARATORS and not (before == "." and character in _AFTER_PERIOD):
                return f"{character!r} at position {position} follows {before!r}"
        elif _is_mark(character):
            if before in _SEPARATORS:
                return f"the combining mark {character!r} at position {position} does not follow a letter"
        elif not character.isalpha():
            return f"{character!r} at position {position} is not a letter"
        before = character
    if before in _SEPARATORS and before != ".":
        return f"it ends in {before!r}, at position {len(text) - 1}"
    return ""


def _may_begin(character: str) -> bool:
    """Return whether a character is an uppercase or titlecase letter, or a letter without case."""
    return character.isalpha() and not character.islower() and unicodedata.category(character) != "Lm"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")
