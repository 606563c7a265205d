"""Runs side by side, as two tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from seqgen.render.tables import plain_table
from seqgen.render.text import duration

_HEADINGS = {
    "tokens_per_s": "tokens/s",
    "trained_s": "trained",
    "validation_bits_per_char": "valid. bits/char",
    "test_bits_per_char": "test bits/char",
}
_COLUMNS = (
    "run", "corpus", "cell", "parameters", "steps", "trained_s", "tokens_per_s", "validation_bits_per_char",
    "test_bits_per_char", "above the best", "valid", "unique", "novel",
)  # fmt: skip


def compare_view(rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    """The figures of runs, the best first, and below them the settings that are not the same in all.

    Args:
        rows: the rows of ``seqgen.api.compare.Comparison``.
        settings: its settings.
    """
    shown = [_row(row) for row in rows]
    there = [name for name in _COLUMNS if any(row[_HEADINGS.get(name, name)] is not None for row in shown)]
    figures = plain_table(shown, [_HEADINGS.get(name, name) for name in there])
    if not settings:
        return Group(figures, Text("all settings are the same"))
    runs = [row["run"] for row in rows]
    lines = [
        dict(zip(("setting", *runs), (name, *(_value(values[run]) for run in runs)), strict=True))
        for name, values in settings.items()
    ]
    return Group(figures, plain_table(lines, ("setting", *runs), "settings that differ"))


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    named = {_HEADINGS.get(name, name): row.get(name) for name in _COLUMNS}
    speed = row["tokens_per_s"]
    named["tokens/s"] = None if speed is None else round(speed)
    named["trained"] = duration(row["trained_s"])
    if row["difference"] is not None:
        named["above the best"] = (
            f"{row['difference']:+.3f} [{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]"
        )
    for name in ("valid", "unique", "novel"):
        named[name] = None if row[name] is None else f"{row[name]:.1%}"
    return named


def _value(value: Any) -> str | None:
    """A setting as it is written: numbers without separators or rounding."""
    return None if value is None else str(value)
