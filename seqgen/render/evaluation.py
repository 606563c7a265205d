"""Tables of the metrics of an evaluation, for terminals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seqgen.metrics import OF_PLUGINS, MetricRow, groups
from seqgen.render.tables import Listing
from seqgen.render.text import visible


def evaluation_view(
    metrics: Mapping[str, Any],
    published: Mapping[str, Mapping[str, float]] | None = None,
    labels: Mapping[str, str] | None = None,
) -> RenderableType:
    """Return the metrics of ``Run.evaluate`` in groups, with intervals and chance levels.

    Args:
        metrics: by name.
        published: published values of metrics of plugins, by name of a model.
        labels: labels of metrics of plugins, by name.
    """
    parts: list[RenderableType] = []
    for heading, rows in groups(metrics, labels):
        if heading == OF_PLUGINS and published:
            parts += [Text(heading, style="bold"), _beside_published(rows, metrics, published)]
        else:
            parts += _group(heading, rows)
    parts += [Text(f"note: {visible(note)}", style="dim") for note in metrics.get("notes", ())]
    return Group(*parts)


def _beside_published(
    rows: list[MetricRow], metrics: Mapping[str, Any], published: Mapping[str, Mapping[str, float]]
) -> RenderableType:
    run = str(metrics.get("run", "this run"))
    shown = [
        {"metric": row.label, run: metrics[row.name], **{model: of.get(row.name) for model, of in published.items()}}
        for row in rows
    ]
    return Listing(shown, ("metric", run, *published))


def _group(heading: str, rows: list[MetricRow]) -> list[RenderableType]:
    """Return the table of a group, and below one with several figures a row its sentences."""
    table = Table(title=Text(heading, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    intervals, chances = any(row.interval for row in rows), any(row.chance for row in rows)
    table.show_header = intervals or chances
    table.add_column(Text("metric"), min_width=18)
    words = any(len(row.value) > 20 for row in rows)
    table.add_column(Text("value"), justify="left" if words else "right", overflow="fold", min_width=9)
    for is_shown, name in ((intervals, "95% interval"), (chances, "by chance")):
        if is_shown:
            table.add_column(Text(name), justify="right", overflow="fold")
    long_rows = [row for row in rows if len(row.value) > 20]
    for row in rows:
        if row not in long_rows:
            cells = [row.label, row.value, *[row.interval] * intervals, *[row.chance] * chances]
            table.add_row(*(Text(visible(cell)) for cell in cells))
    if long_rows and (intervals or chances):  # a sentence would make its column as wide as the terminal
        table.columns[1].justify = "right"
        return [table, *(Text(f"{row.label}: {visible(row.value)}", style="bold") for row in long_rows)]
    for row in long_rows:
        table.add_row(Text(row.label), Text(visible(row.value)))
    return [table]
