"""A placeholder for empty rows in tables."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.text import Text


class _Empty:
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._mark(console)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._mark(console))

    @staticmethod
    def _mark(console: Console) -> Text:
        return Text("(empty)" if console.is_terminal else "", style="dim")


EMPTY_ROW: RenderableType = _Empty()
"""The text of an empty row: a mark on a terminal, nothing elsewhere."""
