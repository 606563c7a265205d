"""Rows fitted to the terminal: a table, one with fewer columns, or a block a row; plain columns in a pipe."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from seqgen.render.text import visible

_LONG = ("text", "summary", "description", "problem", "state", "hooks", "type", "default", "range")  # may be folded
_NARROW = {"type": 14, "default": 10, "range": 10}  # so that what stands beside them has room
_LEAST = 20  # of a column that folds, if a word is as long
_ANY_WIDTH = 100_000  # since what is measured is never said to be wider than the terminal
_HEADINGS = {"bits_per_char": "bits/char", "load_ms": "load ms"}


class Listing:
    """Rows to show; numbers right, missing values as a dash, long texts folded and never cut.

    On a terminal that is too narrow for all columns, first the spare ones are left out; if that is not enough, each row
    is a block of lines. In a pipe there are plain columns, without rules and without lines between.

    Args:
        rows: what to show, by column.
        columns: which columns, in order.
        title: above the table.
        folded: further columns whose texts may be long.
        spare: columns that are left out on a narrow terminal, the first one first.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        columns: Sequence[str],
        title: str = "",
        folded: Collection[str] = (),
        spare: Sequence[str] = (),
    ) -> None:
        self._rows, self._columns, self._title = list(rows), list(columns), title
        self._folded, self._spare = folded, spare

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what fits."""
        if not console.is_terminal:
            yield self._table(self._columns, plain=True)
            return
        for n_left_out in range(len(self._spare) + 1):
            columns = [column for column in self._columns if column not in self._spare[:n_left_out]]
            table = self._table(columns)
            least = Measurement.get(console, options.update_width(_ANY_WIDTH), table).minimum
            if least <= options.max_width:
                yield table
                return
        yield from self._blocks()

    def _table(self, columns: Sequence[str], *, plain: bool = False) -> Table:
        style: dict[str, Any] = {"box": None, "padding": (0, 2, 0, 0)} if plain else {"box": box.SIMPLE_HEAD}
        title = Text(self._title) if self._title else None
        table = Table(title=title, title_justify="left", pad_edge=False, **style)
        for column in columns:
            values = [row.get(column) for row in self._rows]
            heading, numbers = _HEADINGS.get(column, column), any(isinstance(value, int | float) for value in values)
            folds = column in _LONG or column in self._folded
            shown = [str(cell(value)) for value in values if not isinstance(value, ConsoleRenderable)]
            # What does not fold is never cut, however narrow the terminal is; what folds does so between words.
            least = max(map(cell_len, [heading, *shown]))
            if folds:
                words = [heading, *(word for text in shown for word in text.split())]
                least = min(_LEAST, max(map(cell_len, words)))
            table.add_column(
                Text(heading),
                justify="right" if numbers else "left",
                overflow="fold",
                no_wrap=not folds,
                min_width=least,
                max_width=None if plain else _NARROW.get(column),
            )
        for row in self._rows:
            table.add_row(*(cell(row.get(column)) for column in columns))
        return table

    def _blocks(self) -> Iterable[RenderableType]:
        """The rows as blocks: the first column, and under it a line for each other one."""
        first, *others = self._columns
        if self._title:
            yield Text(self._title, style="italic")
        for row in self._rows:
            yield Text("")
            yield cell(row.get(first))
            block = Table.grid(padding=(0, 2, 0, 0))
            for column in others:
                if row.get(column) not in (None, ""):
                    block.add_row("", Text(_HEADINGS.get(column, column), style="bold"), cell(row[column]))
            yield block


def cell(value: Any) -> RenderableType:
    """Return a value as it stands in a table."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text(visible(value)) if isinstance(value, str) else value
