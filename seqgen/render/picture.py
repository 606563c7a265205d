"""Pictures of samples: drawn by the renderer of a domain, or an SVG image of the terminal output."""

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
_UNDRAWABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # not allowed in XML


def record(view: RenderableType, width: int) -> Console:
    """Return a console with a renderable as a terminal of this many columns shows it, for one of its exports."""
    console = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor",
        legacy_windows=False, no_color=False, markup=False, highlight=False, emoji=False,
    )  # fmt: skip
    console.print(view)
    return console


def export_svg(view: RenderableType, *, width: int = _WIDTH, title: str = "seqgen") -> bytes:
    """Return a renderable as an SVG picture that references no external font.

    Args:
        view: the renderable.
        width: columns.
        title: the title above it.
    """
    console = record(view, width)
    drawn = _FONTS.sub("", console.export_svg(title=title, unique_id=title))
    return _UNDRAWABLE.sub("", drawn).encode()


def draw(texts: Sequence[str], suffix: str, renderer: Any = None) -> bytes:
    """Return the content of a picture file of some texts.

    Args:
        texts: the texts to show.
        suffix: ".svg", or another suffix that the renderer supports.
        renderer: of the domain, or None.
    """
    if suffix in getattr(renderer, "suffixes", ()):
        drawn: bytes = renderer.draw(texts, suffix)
        return drawn
    shown: list[RenderableType] = []
    for text in texts:
        shown += [Text(visible_lines(text)) if renderer is None else renderer(text), Text("")]
    return export_svg(Group(*shown[:-1]))
