"""Views as HTML fragments, for notebooks: tables as tables, other views as they stand on a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seqgen.render.curve import loss_curve
from seqgen.render.heat import STOP, shade_of, shown
from seqgen.render.picture import record
from seqgen.render.tables import Listing
from seqgen.render.text import visible, visible_line, visible_lines

_MAX_SAMPLES = 5
_WIDTH = 100  # columns of a view that is no table
_CELL = "text-align: {}; padding: 2px 10px; vertical-align: top; white-space: pre-wrap"


def export_html(view: RenderableType) -> str:
    """Return a view as an HTML fragment, all its texts escaped.

    Args:
        view: any view of rich; tables and groups of them become HTML tables.
    """
    return "".join(_parts(view))


def _parts(view: RenderableType) -> Iterator[str]:
    if isinstance(view, Group):
        for part in view.renderables:
            yield from _parts(part)
    elif isinstance(view, Listing):
        yield from _table(view.table())
    elif isinstance(view, Table):
        yield from _table(view)
    elif isinstance(view, str | Text):
        text = view if isinstance(view, str) else view.plain
        if text.strip():
            yield f'<div style="white-space: pre-wrap">{escape(text)}</div>'
    else:
        yield f'<pre style="line-height: 1.2">{escape(record(view, _WIDTH).export_text().rstrip())}</pre>'


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"<div><b>{escape(_plain(table.title))}</b></div>"
    yield "<table>"
    if table.show_header:
        yield _row("th", table, [column.header for column in table.columns])
    for row in zip(*(column.cells for column in table.columns), strict=True):
        yield _row("td", table, row)
    yield "</table>"
    if table.caption:
        yield f'<div style="white-space: pre-wrap">{escape(_plain(table.caption))}</div>'


def _row(tag: str, table: Table, values: Sequence[RenderableType]) -> str:
    cells = []
    for value, column in zip(values, table.columns, strict=True):
        side = "right" if column.justify == "right" else "left"
        cells.append(f'<{tag} style="{_CELL.format(side)}">{_cell(value)}</{tag}>')
    return f"<tr>{''.join(cells)}</tr>"


def _cell(value: RenderableType) -> str:
    return escape(_plain(value)) if isinstance(value, str | Text) else export_html(value)


def _plain(text: object) -> str:
    return text.plain if isinstance(text, Text) else str(text)


def run_html(lines: Sequence[str], metrics: Sequence[Mapping[str, Any]], samples: Sequence[str], live: str = "") -> str:
    """Return a training run: lines, the curve of its losses, a line that is rewritten, and some samples.

    Args:
        lines: lines above the curve.
        metrics: lines of metrics.jsonl.
        samples: texts; at most five are shown.
        live: the line that is rewritten.
    """
    parts = [f"<div>{escape(visible(line))}</div>" for line in lines]
    if metrics:
        parts.append(loss_curve(metrics, "loss of the run over its steps"))
    if live:
        parts.append(f'<div style="font-family: monospace; white-space: pre">{escape(visible_lines(live))}</div>')
    if samples:
        shown_samples = " · ".join(map(visible_line, samples[:_MAX_SAMPLES]))
        parts.append(f'<div style="opacity: 0.8">{escape(shown_samples)}</div>')
    return "".join(parts)


def heat_html(symbols: Sequence[str], nats: Sequence[float], summary: str) -> str:
    """Return a text as a heat map: the darker a symbol, the more bits it costs; its cost is shown on pointing at it.

    Args:
        symbols: of the text, in order.
        nats: cost of each symbol, and last that of the stop, if there is one.
        summary: a line above it.
    """
    parts = [f'<div>{escape(summary)}</div><div style="font-family: monospace; line-height: 1.8; margin-bottom: 8px">']
    for symbol, cost in zip([*map(shown, symbols), STOP], nats, strict=False):
        bits = cost / math.log(2)
        style = f"background: rgba(220, 38, 38, {shade_of(cost):.2f}); padding: 1px 2px"
        parts.append(f'<span title="{bits:.2f} bits" style="{style}">{escape(symbol)}</span>')
    return "".join((*parts, "</div>"))
