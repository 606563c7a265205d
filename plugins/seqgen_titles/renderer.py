"""Renderer that prints the part of a title before the colon in bold."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

import seqgen


def load() -> Callable[[str], Text]:
    """Return the renderer; it has no options."""
    return render


def render(text: str) -> Text:
    """Render a title with the part before its first colon, usually the name of a method, in bold."""
    head, colon, tail = text.partition(": ")
    return Text.assemble((seqgen.visible(head), "bold" if colon else ""), seqgen.visible(colon + tail))
