"""Curves of characters: eight dots of braille a cell, or plain letters where a terminal has no others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

Points = Sequence[tuple[int, float]]
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # bits of a braille cell by row and column
_EARLY = 0.1  # share of the steps whose high losses do not stretch the axis
_FEW = 4  # points after them, below which all count
_LABEL = 6
_SHORTEST = 8  # columns of the plane

TRAINING, HELD_OUT, COUNTING = "cyan", "bold green", "yellow"
"""Styles of the curves."""


@dataclass(frozen=True)
class Curves:
    """The curves of a run, bits per character by step.

    Attributes:
        training: a dotted curve.
        held_out: a solid curve.
        counting: the level of a horizontal line; None: there is none.
        last_step: the right end of the axis.
        height: rows of the plane.
    """

    training: Points
    held_out: Points
    counting: float | None
    last_step: int
    height: int = 8

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the rows of the plane with their labels, and the axis of steps."""
        width = max(_SHORTEST, options.max_width - _LABEL - 1)
        low, high = self._range()
        plane = _Plane(width, self.height, max(1, self.last_step), low, high)
        training, held_out = plane.dots(self.training, every=3), plane.dots(self.held_out)
        level = None if self.counting is None else plane.row(self.counting)
        for row in range(self.height):
            value = high - (high - low) * row / max(1, self.height - 1)
            label = f"{value:{_LABEL}.2f}" if row in (0, self.height // 2, self.height - 1) else " " * _LABEL
            line = Text(f"{label}{'|' if options.ascii_only else '│'}", style="dim")
            for column in range(width):
                cell = row, column
                bits = held_out.get(cell, 0) | training.get(cell, 0)
                style = HELD_OUT if cell in held_out else TRAINING
                if bits:
                    letter = "o" if cell in held_out else "."
                    line.append(letter if options.ascii_only else chr(0x2800 | bits), style)
                elif row == level:
                    line.append("-" if options.ascii_only else "┄", COUNTING)
                else:
                    line.append(" ")
            yield line
        end = f"{self.last_step:,} steps"
        axis = f"{'':{_LABEL + 1}}0{end:>{width - 1}}" if width > len(end) + 1 else ""
        yield Text(axis, style="dim")

    def _range(self) -> tuple[float, float]:
        """Return the ends of the vertical axis, which the first evaluations do not stretch."""
        points = [*self.training, *self.held_out]
        late = [value for step, value in points if step >= _EARLY * self.last_step]
        values = late if len(late) >= _FEW else [value for _, value in points]
        if self.counting is not None:
            values = [*values, self.counting]
        low, high = min(values, default=0.0), max(values, default=1.0)
        margin = max((high - low) * 0.05, 0.01)
        return low - margin, high + margin


@dataclass(frozen=True)
class _Plane:
    """The plane of a plot, with two columns and four rows of dots a cell."""

    width: int
    height: int
    last_step: int
    low: float
    high: float

    def dots(self, points: Points, every: int = 1) -> dict[tuple[int, int], int]:
        """Return the bits of each cell (row, column) that a curve passes, only every so many columns of dots."""
        found: dict[tuple[int, int], int] = {}
        before: tuple[int, int] | None = None
        for step, value in points:
            x = min(2 * self.width - 1, round(step / self.last_step * (2 * self.width - 1)))
            y = self._y(value)
            for at_x, at_y in _line(before or (x, y), (x, y)):
                if at_x % every == 0 or before is None:
                    cell = at_y // 4, at_x // 2
                    found[cell] = found.get(cell, 0) | _DOTS[at_y % 4][at_x % 2]
            before = x, y
        return found

    def row(self, value: float) -> int:
        """Return the row of cells of a value."""
        return self._y(value) // 4

    def _y(self, value: float) -> int:
        share = (self.high - value) / (self.high - self.low)
        return min(4 * self.height - 1, max(0, math.floor(share * 4 * self.height)))


def _line(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the dots of a straight line, both ends included."""
    n = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    return [
        (round(start[0] + (end[0] - start[0]) * i / n), round(start[1] + (end[1] - start[1]) * i / n))
        for i in range(n + 1)
    ]


def bar(share: float, width: int, ascii_only: bool = False) -> Text:
    """Return a bar of some columns for a share of 0 to 1."""
    done = round(share * width)
    full, rest = ("#", "-") if ascii_only else ("━", "─")
    return Text(full * done, style="green") + Text(rest * (width - done), style="dim")
