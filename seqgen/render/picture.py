"""Pictures of samples: as a domain draws them, else what a terminal would show."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from seqgen.render.text import visible_lines

_WIDTH = 100  # columns
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.S)
_UNDRAWABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # no part of any XML


def export_svg(view: RenderableType, *, width: int = _WIDTH, title: str = "seqgen") -> bytes:
    """What rich can print, as an SVG picture; it names no font that would have to be fetched.

    Args:
        view: what to draw.
        width: columns.
        title: above it.
    """
    console = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor",
        legacy_windows=False, no_color=False, markup=False, highlight=False, emoji=False,
    )  # fmt: skip
    console.print(view)
    drawn = _FONTS.sub("", console.export_svg(title=title, unique_id=title))
    return _UNDRAWABLE.sub("", drawn).encode()


def draw(texts: Sequence[str], suffix: str, renderer: Any = None) -> bytes:
    """The content of a file that shows some texts.

    Args:
        texts: what to show.
        suffix: ".svg", or another that the renderer draws.
        renderer: of the domain, or None.
    """
    if suffix in getattr(renderer, "suffixes", ()):
        drawn: bytes = renderer.draw(texts, suffix)
        return drawn
    shown: list[RenderableType] = []
    for text in texts:
        shown += [Text(visible_lines(text)) if renderer is None else renderer(text), Text("")]
    return export_svg(Group(*shown[:-1]))
