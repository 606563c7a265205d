"""Validator of titles."""

from __future__ import annotations

import unicodedata

import seqgen

_CLOSES = {")": "(", "]": "[", "}": "{"}
_BEGIN = ("L", "N", "Ps", "Pi")  # letters, numbers, opening brackets and opening quotes


class TitleValidator:
    """Accepts one line without extra whitespace whose brackets and straight double quotes are properly nested.

    Curly and single quotes are not checked: one may be an apostrophe, and which of them closes depends on the language.
    A title begins with a letter, a digit, a quote or an opening bracket. The canonical form is case-folded: titles that
    differ only in case are the same.
    """

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict on a text; the reason gives the 0-based position."""
        reason = _wrong_characters(text) or _wrong_nesting(text)
        return seqgen.Verdict(False, reason) if reason else seqgen.Verdict(True, "", text.casefold())


def _wrong_characters(text: str) -> str:
    if not text:
        return "it is empty"
    for position, character in enumerate(text):
        if character != " " and (character.isspace() or unicodedata.category(character) == "Cc"):
            return f"{character!r} at position {position} is whitespace or a control character, but not a space"
    if text[0] == " ":
        return "it begins with a space"
    if text[0] not in "\"'" and not unicodedata.category(text[0]).startswith(_BEGIN):
        return f"it begins with {text[0]!r}, which is not a letter, digit, quote or opening bracket"
    if "  " in text:
        return f"two spaces at position {text.index('  ')}"
    return f"it ends in a space, at position {len(text) - 1}" if text[-1] == " " else ""


def _wrong_nesting(text: str) -> str:
    opened: list[tuple[str, int]] = []
    for position, character in enumerate(text):
        last = opened[-1][0] if opened else ""
        if character in "([{" or (character == '"' and last != '"'):
            opened.append((character, position))
        elif character in ')]}"':
            if last != _CLOSES.get(character, '"'):
                return f"{character!r} at position {position} closes {repr(last) if last else 'nothing'}"
            opened.pop()
    return "{!r} at position {} is never closed".format(*opened[-1]) if opened else ""
