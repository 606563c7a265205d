"""The text of a card as a person reads it, from the game's form with its marks.

In that form ``<b>`` and ``<i>`` are type, ``[x]`` says that the line ends are set by hand, ``_`` is a space that does
not break, ``$4`` and ``#4`` are damage and healing that other cards may change, ``@`` and ``{0}`` are counters,
``|4(card, cards)`` is a word that follows the number before it, ``&`` is a place where more may be put in, and a second
``@`` begins the same text once more, as it reads later in a game.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_AGAIN = re.compile(r'(?<=[.!?>)"])\s*@(?=\s*(?:\[x\]|<|[A-Z+]|$))')
_HINT = re.compile(r"\s*<i>\s*\((?:[^()]*\{\d\}[^()]*|@)\)\s*</i>")
_COUNTER = re.compile(r"\{(\d)\}|@")
_UNUSUAL = re.compile(r"(?<=\ba)\{\d\}|\s+\{\d\}(?=\s+(?:<b>)?[A-Z])|(?<=</b>)\s+\{\d\}(?=\.)")
_PLURAL = re.compile(r"\|4\(([^,()]*),\s*([^()]*)\)")
_BOLD = re.compile(r"(?:\s|,|\[x\]|<b>[^<]*[^<.:!,;]</b>)+")
_TAG = re.compile(r"</?[A-Za-z]+>|\[x\]")
_MAX = 1000  # greater counters are the numbers of other cards


def plain(text: str, counters: Sequence[int] = ()) -> str | None:
    """The text in one line without marks.

    Args:
        text: as the game has it.
        counters: the values with which its counters begin.

    Returns:
        The line; None when a counter has no value, so that there is no such text.
    """
    text = _reading(text.partition("~")[0], counters)
    if _COUNTER.search(text):
        return None
    text = _PLURAL.sub(_by_number, text)
    while (shorter := re.sub(r"<b>(\s*)<b>|</b>(\s*)</b>", _once, text)) != text:
        text = shorter
    text = _TAG.sub("", _end_keywords(text)).replace("\\&", "and").replace("&", "").replace("_", " ").replace("’", "'")
    text = re.sub(r"[$#](?=\d)", "", text)
    return re.sub(r"\s+([.,:;)])", r"\1", " ".join(text.split()))


def _reading(text: str, counters: Sequence[int]) -> str:
    """The first way to read a text whose counters all have values; if there is none, the first."""
    ways = [_HINT.sub("", way) for way in _AGAIN.split(text)]
    filled = [_fill(way, counters) for way in ways if not way.lstrip().startswith("<i>")] or [""]
    return next((way for way in filled if not _COUNTER.search(way)), filled[0])


def _fill(text: str, counters: Sequence[int]) -> str:
    def value(match: re.Match[str]) -> str:
        index = int(match[1] or 0)
        known = index < len(counters) and 0 <= counters[index] < _MAX
        return str(counters[index]) if known else match[0]

    text = _COUNTER.sub(value, text)
    return _UNUSUAL.sub("", text)  # a number that the game shows only when it is not the usual one


def _end_keywords(text: str) -> str:
    """With a full stop after lines of keywords alone, which only the line end sets apart from what follows."""
    lines = text.split("\n")
    for index, line in enumerate(lines[:-1]):
        if "<b>" in line and _BOLD.fullmatch(line) and _TAG.sub("", lines[index + 1]).strip(" _")[:1].isupper():
            lines[index] = line.rstrip() + "."
    return "\n".join(lines)


def _by_number(match: re.Match[str]) -> str:
    before = re.findall(r"\d+", match.string[: match.start()])
    return match[1] if before and before[-1] == "1" else match[2]


def _once(match: re.Match[str]) -> str:
    return ("</b>" if match[0].startswith("</") else "<b>") + (match[1] or match[2] or "")
