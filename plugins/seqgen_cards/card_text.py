"""Plain text of a card from the game's markup.

In that markup ``<b>`` and ``<i>`` are bold and italic, ``[x]`` marks manual line breaks, ``_`` is a non-breaking space,
``$4`` and ``#4`` are damage and healing that other cards may change, ``@`` and ``{0}`` are counters, ``|4(card,
cards)`` is a word that agrees with the number before it, ``&`` is an insertion point, and a second ``@`` starts an
alternative text, as it reads later in a game.
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


def plain_text(text: str, counters: Sequence[int] = ()) -> str | None:
    """Return the text on one line without markup.

    Args:
        text: the game's markup.
        counters: initial values of its counters; negative: none.

    Returns:
        The line; None if a counter has no value, so that the text cannot be completed.
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
    """Return the first alternative text whose counters all have values; without one, the first."""
    alternatives = [_HINT.sub("", alternative) for alternative in _AGAIN.split(text)]
    filled = [_fill(text, counters) for text in alternatives if not text.lstrip().startswith("<i>")] or [""]
    return next((text for text in filled if not _COUNTER.search(text)), filled[0])


def _fill(text: str, counters: Sequence[int]) -> str:
    def value(match: re.Match[str]) -> str:
        index = int(match[1] or 0)
        known = index < len(counters) and 0 <= counters[index] < _MAX
        return str(counters[index]) if known else match[0]

    text = _COUNTER.sub(value, text)
    return _UNUSUAL.sub("", text)  # a number that the game shows only if it differs from the default


def _end_keywords(text: str) -> str:
    """Add a full stop after lines of keywords only, which the line end separates from what follows."""
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
