"""Runs side by side, as three tables: what they are, what they learned, in what they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from seqgen.render.tables import plain_table
from seqgen.render.text import duration

_RUNS = ("run", "corpus", "cell", "parameters", "steps", "trained", "tokens/s")
_FIGURES = ("run", "validation", "test", "above the best", "valid", "unique", "novel")


def compare_view(
    rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Mapping[str, Any]], part: str
) -> RenderableType:
    """The figures of runs, the best first, and the settings that are not the same in all.

    Args:
        rows: the rows of ``seqgen.api.compare.Comparison``.
        settings: its settings.
        part: the part in which runs are compared with the best.
    """
    shown = [_row(row) for row in rows]
    there = [name for name in _FIGURES if any(row[name] is not None for row in shown)]
    title = f"bits per character; above the best in the {part} part, with the 95% interval over its records"
    n_samples = next((row["samples"] for row in rows if row["samples"] is not None), None)
    title += "" if n_samples is None else f"; shares of {n_samples:,} samples"
    tables: list[RenderableType] = [
        plain_table(shown, _RUNS, folded=("run", "corpus")),
        plain_table(shown, there, title, folded=("run",)),
    ]
    if not settings:
        return Group(*tables, Text("all settings are the same"))
    runs = [row["run"] for row in rows]
    lines = [
        dict(zip(("setting", *runs), (name, *(_value(values[run]) for run in runs)), strict=True))
        for name, values in settings.items()
    ]
    return Group(*tables, plain_table(lines, ("setting", *runs), "settings that differ", folded=runs))


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A run by the headings of the tables."""
    shown = dict(row) | {
        "trained": duration(row["trained_s"]),
        "tokens/s": None if row["tokens_per_s"] is None else round(row["tokens_per_s"]),
        "validation": row["validation_bits_per_char"],
        "test": row["test_bits_per_char"],
        "above the best": None,
    }
    if row["difference"] is not None:
        low, high = row["difference_low"], row["difference_high"]
        sure = "" if low is None or high is None else f" [{low:+.3f}, {high:+.3f}]"
        shown["above the best"] = f"{row['difference']:+.3f}{sure}"
    for name in ("valid", "unique", "novel"):
        shown[name] = None if row[name] is None else f"{row[name]:.1%}"
    return shown


def _value(value: Any) -> str | None:
    """A setting as it is written: numbers without separators or rounding."""
    return None if value is None else str(value)
