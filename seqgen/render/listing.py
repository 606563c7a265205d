"""Rows fitted to the terminal: a table, a table with fewer columns, or one block per row; plain columns in a pipe."""

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

_FOLDABLE = ("text", "summary", "description", "problem", "state", "hooks", "type", "default", "range")
_MAX_WIDTHS = {"type": 14, "default": 10, "range": 10}  # limits that leave space for the other columns
_MIN_WIDTH = 20  # least width of a folding column with a word that long
_ANY_WIDTH = 100_000  # rich never measures more than the width it is given
_HEADINGS = {"bits_per_char": "bits/char", "load_ms": "load ms"}


class Listing:
    """A table that adapts to the terminal: numbers right-aligned, missing values as a dash, long texts folded, not cut.

    On a terminal that is too narrow for all columns, the spare ones are dropped first; if that is not enough, each row
    becomes a block of lines. A pipe gets plain columns without rules.

    Args:
        rows: the rows, each by column.
        columns: the columns to show, in order.
        title: the title above the table.
        folded: further columns whose texts may be long.
        spare: columns to drop on a narrow terminal, the first one first.
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
        """Yield the widest form that fits."""
        if not console.is_terminal:
            yield self.table()
            return
        for n_left_out in range(len(self._spare) + 1):
            columns = [column for column in self._columns if column not in self._spare[:n_left_out]]
            table = self._table(columns)
            least = Measurement.get(console, options.update_width(_ANY_WIDTH), table).minimum
            if least <= options.max_width:
                yield table
                return
        yield from self._blocks()

    def table(self) -> Table:
        """Return it with all columns, without rules."""
        return self._table(self._columns, plain=True)

    def _table(self, columns: Sequence[str], *, plain: bool = False) -> Table:
        style: dict[str, Any] = {"box": None, "padding": (0, 2, 0, 0)} if plain else {"box": box.SIMPLE_HEAD}
        title = Text(self._title) if self._title else None
        table = Table(title=title, title_justify="left", pad_edge=False, **style)
        for column in columns:
            values = [row.get(column) for row in self._rows]
            heading, numbers = _HEADINGS.get(column, column), any(isinstance(value, int | float) for value in values)
            folds = column in _FOLDABLE or column in self._folded
            shown = [str(cell(value)) for value in values if not isinstance(value, ConsoleRenderable)]
            # Other columns are never cut, however narrow the terminal is; folded ones break between words.
            least = max(map(cell_len, [heading, *shown]))
            if folds:
                words = [heading, *(word for text in shown for word in text.split())]
                least = min(_MIN_WIDTH, max(map(cell_len, words)))
            table.add_column(
                Text(heading),
                justify="right" if numbers else "left",
                overflow="fold",
                no_wrap=not folds,
                min_width=least,
                max_width=None if plain else _MAX_WIDTHS.get(column),
            )
        for row in self._rows:
            cells = (cell(row.get(column)) for column in columns)
            table.add_row(*(_AsWide(one) if plain and not hasattr(one, "__rich_measure__") else one for one in cells))
        return table

    def _blocks(self) -> Iterable[RenderableType]:
        """Yield the rows as blocks: the first column, and below it a line for each other column."""
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


class _AsWide:
    """A renderable that does not say how wide it is, and which rich would take for as wide as there is space.

    Args:
        inner: the renderable.
    """

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._inner

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        lines = console.render_lines(self._inner, options, pad=False)
        width = max((cell_len("".join(part.text for part in line).rstrip()) for line in lines), default=0)
        return Measurement(width, width)


def cell(value: Any) -> RenderableType:
    """Return a value as a table shows it."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text(visible(value)) if isinstance(value, str) else value
