"""Short texts for tables and messages, and the escaping of characters that would steer a terminal."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook, RenderResult
from rich.segment import Segment

_BLOCKS, _MAX_BLOCKS = "▁▂▃▄▅▆▇█", 40
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # they join letters and emoji, and are harmless on a terminal


def visible(text: str) -> str:
    """Return a text that is safe on a terminal: control, format and bidirectional characters are escaped."""
    if text.isprintable():
        return text
    return _escaped(text, lambda character: character.encode("unicode_escape").decode())


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    return "".join(
        escape(character) if unicodedata.category(character) in _INVISIBLE and character not in _JOINERS else character
        for character in text
    )


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def visible_json(text: str) -> str:
    """Return JSON text of the same value that is safe on a terminal: such characters are escaped as code units."""
    if text.replace("\n", "").isprintable():
        return text
    return "\n".join(_escaped(line, _json_escape) for line in text.split("\n"))


def visible_line(text: str) -> str:
    """Return a text as ``visible`` does, on one line: its line ends become spaces."""
    return visible(" ".join(text.split("\n")))


def visible_lines(text: str) -> str:
    """Return the result of ``visible`` with line ends kept."""
    return "\n".join(map(visible, text.split("\n")))


class EscapingHook(RenderHook):
    """A hook of a console (``push_render_hook``) that escapes all that it shows.

    Texts of a corpus, names of folders and what a plugin renders end up in tables, titles and progress lines. They are
    escaped last of all, so that none of these has to remember to.
    """

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return the renderables, escaped."""
        return [_Escaped(renderable) for renderable in renderables]


class _Escaped(ConsoleRenderable):
    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._renderable, options):
            if segment.control:  # rich's own, for the cursor
                yield segment
            else:
                yield Segment(visible_lines(segment.text), segment.style)


def sparkline(values: Sequence[float]) -> str:
    """Return values as a row of block characters; more values than 40 are averaged in groups."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    n = min(_MAX_BLOCKS, len(finite))
    cuts = [finite[i * len(finite) // n : (i + 1) * len(finite) // n] for i in range(n)]
    means = [sum(cut) / len(cut) for cut in cuts]
    low, high = min(means), max(means)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)


def counted(n: int, noun: str) -> str:
    """Return a number with its noun: 1 record, 2,000 records."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal place, or with two significant digits: 12.5%, 0.024%."""
    small = 0 < share < 0.01
    return f"{share:.{1 - math.floor(math.log10(share * 100)) if small else 1}%}"


def duration(seconds: float) -> str:
    """Return seconds in the form 8s, 3m 20s or 2h 05m."""
    if not math.isfinite(seconds):
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
