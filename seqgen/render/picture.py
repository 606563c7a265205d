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
_UNDRAWABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # no part of any XML


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
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), markup=False, highlight=False, emoji=False)
    shown: list[RenderableType] = []
    for text in texts:
        shown += [Text(visible_lines(text)) if renderer is None else renderer(text), Text("")]
    console.print(Group(*shown[:-1]))
    return _UNDRAWABLE.sub("", console.export_svg(title="seqgen")).encode()
