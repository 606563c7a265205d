"""Shows a title with its head in bold."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

import seqgen


def load() -> Callable[[str], Text]:
    """The renderer; it has no options."""
    return render


def render(text: str) -> Text:
    """A title: what stands before its first colon is bold, since it is the name of what the paper is about."""
    head, colon, tail = text.partition(": ")
    return Text.assemble((seqgen.visible(head), "bold" if colon else ""), seqgen.visible(colon + tail))
