"""Escaping of characters that would steer a terminal, in all that a rich console shows.

Texts of a corpus, names of folders and what a plugin renders end up in tables, titles and progress lines. They are
escaped last of all, so that none of these has to remember to.
"""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook, RenderResult
from rich.segment import Segment

from seqgen.render import visible_lines


class EscapingHook(RenderHook):
    """A hook of a console (``push_render_hook``)."""

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
