"""Tables of a bench and of a comparison, and the CSV of a bench."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.text import Text

import seqgen
from seqgen import commands

Rows = Sequence[Mapping[str, Any]]
"""A row a cell, the best first: cell, bits_per_char, interval (what its 95% interval adds to each side),
parameters, width, steps, lr, tokens_per_s, samples_per_s, seeds, problem, under_best_count (bits per character that it
needs less than the best count), above_best and above_best_interval (those that it needs more than the first row, by the
seeds that both have); None where there is no value."""

PARTS: dict[Literal["valid", "test"], str] = {"valid": "validation", "test": "test"}
"""Titles of the held-out parts by which models can be compared."""
COLUMNS = (
    "cell", "bits_per_char", "interval", "parameters", "width", "steps", "lr", "tokens_per_s", "samples_per_s", "seeds",
    "problem", "under_best_count", "above_best", "above_best_interval",
)  # fmt: skip
_SHOWN = (
    "cell",
    "bits_per_char",
    "above_best",
    "under_best_count",
    "parameters",
    "steps",
    "lr",
    "tokens_per_s",
    "samples_per_s",
    "seeds",
)
_BITS, _ABOVE = "bits/char ± 95%", "above the best ± 95%"
_HEADINGS = {
    "bits_per_char": _BITS,
    "above_best": _ABOVE,
    "under_best_count": "under count",
    "parameters": "params",
    "width": "units",
    "tokens_per_s": "tokens/s",
    "samples_per_s": "samples/s",
}
_RUNS = ("run", "corpus", "cell", "parameters", "steps", "trained", "tokens/s")
_ALONE = "validation, network alone"
_LOSSES = ("run", _ALONE, "validation", "test", "above the best", "valid", "unique", "novel")


def outlook(n_runs: int, time_s: float | None, out: str | Path | None) -> str:
    """Return the number of runs and how long they take."""
    of = "" if time_s is None else f" of {commands.duration(time_s)}: about {commands.duration(n_runs * time_s)}"
    kept = "; finished runs in its folder are kept" if out is not None and Path(out).exists() else ""
    return f"{commands.counted(n_runs, 'run')}{of}{kept}"


def bench_table(rows: Rows, title: str = "", counts: Mapping[str, float] | None = None) -> Group:
    """Return the rows as a table, with the reasons of failures below; seeds and rates that all share are left out.

    Args:
        rows: the rows.
        title: above them.
        counts: bits per character that counting reaches, by name; shown first.
    """
    differs = {name: len({row[name] for row in rows if row[name] is not None}) > 1 for name in ("seeds", "lr")}
    differs["under_best_count"] = bool(counts)
    differs["above_best"] = any(row["above_best_interval"] is not None for row in rows)
    columns = [name for name in _SHOWN if differs.get(name, True)]
    nothing = dict.fromkeys(COLUMNS)
    baselines = [nothing | {"cell": name, "bits_per_char": bits} for name, bits in (counts or {}).items()]
    shown = [
        {_HEADINGS.get(name, name): speed(row[name]) if name.endswith("_per_s") else row[name] for name in columns}
        | {
            _BITS: _bits(row["bits_per_char"], row["interval"]),
            _ABOVE: _bits(row["above_best"], row["above_best_interval"]),
            "under count": _signed(row["under_best_count"]),
        }
        for row in [*baselines, *rows]
    ]
    names = {} if any(row["interval"] is not None for row in rows) else {_BITS: "bits/char"}  # one seed has none
    shown = [{names.get(name, name): value for name, value in row.items()} for row in shown]
    heads = [_HEADINGS.get(name, name) for name in columns]
    table = commands.table(shown, [names.get(head, head) for head in heads], title)
    return Group(table, *(Text(seqgen.visible(f"{row['cell']}: {row['problem']}")) for row in rows if row["problem"]))


def _bits(bits: float | None, interval: float | None) -> str | None:
    if bits is None:
        return None
    return f"{bits:.3f}" if interval is None else f"{bits:.3f} ± {interval:.3f}"


def _signed(bits: float | None) -> str | None:
    return None if bits is None else f"{round(bits, 3) + 0.0:+.3f}"  # no "-0.000"


def speed(per_s: float | None) -> int | None:
    """Return a number per second with three significant digits, more than are the same the next time."""
    return None if per_s is None else round(float(f"{per_s:.3g}"))


def bench_csv(rows: Rows) -> bytes:
    """Return the rows as CSV with a header, UTF-8; missing values are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dict(row) for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def compare_view(
    rows: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Mapping[str, Any]],
    part: str,
    seed_groups: Sequence[Mapping[str, Any]] = (),
) -> RenderableType:
    """Return the rows of runs, the best first, means over seeds if there are any, and the settings that differ.

    Args:
        rows: the rows of a ``seqgen_bench.compare.Comparison``.
        settings: its settings.
        part: the held-out part of the differences.
        seed_groups: its groups.
    """
    shown = [_row(row) for row in rows]
    there = [name for name in _LOSSES if any(row[name] is not None for row in shown)]
    if _ALONE in there:
        for row in shown:  # of a run without counts the network is all there is
            row[_ALONE] = row[_ALONE] if row["blended"] else row["validation"]
    title = "bits per character"
    if "above the best" in there:
        title += f"; above the best in the {part} part, with the 95% interval over its records"
    n_samples = next((row["samples"] for row in rows if row["samples"] is not None), None)
    title += "; network alone: without counts" if _ALONE in there else ""
    title += "" if n_samples is None else f"; shares of {n_samples:,} samples"
    tables: list[RenderableType] = [
        commands.table(shown, _RUNS, folded=("run", "corpus")),
        commands.table(shown, there, title, folded=("run",)),
    ]
    if seed_groups:
        tables.append(_seed_table(seed_groups, part))
    if not settings:
        return Group(*tables, Text("all settings are the same"))
    runs = [row["run"] for row in rows]
    lines = [
        dict(zip(("setting", *runs), (name, *(_value(values[run]) for run in runs)), strict=True))
        for name, values in settings.items()
    ]
    return Group(*tables, commands.table(lines, ("setting", *runs), "settings that differ", folded=runs))


def _seed_table(groups: Sequence[Mapping[str, Any]], part: str) -> RenderableType:
    """Return the means over seeds as a table."""
    lines = [
        {
            "runs": ", ".join(group["runs"]),
            "seeds": group["seeds"],
            _BITS: _bits(group["bits_per_char"], group["interval"]),
            _ABOVE: _bits(group["above_best"], group["above_best_interval"]),
        }
        for group in groups
    ]
    heads = ["runs", "seeds", _BITS] + [_ABOVE] * any(group["above_best"] is not None for group in groups)
    return commands.table(
        lines, heads, f"runs that differ in their seed only: {part} part, means over seeds", ("runs",)
    )


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row by the headings of the tables."""
    shown = dict(row) | {
        "trained": commands.duration(row["trained_s"]),
        "tokens/s": None if row["tokens_per_s"] is None else round(row["tokens_per_s"]),
        _ALONE: row["network_bits_per_char"],
        "validation": row["validation_bits_per_char"],
        "test": row["test_bits_per_char"],
        "above the best": None,
    }
    if row["difference"] is not None:
        low, high = row["difference_low"], row["difference_high"]
        sure = "" if low is None or high is None else f" [{_signed(low)}, {_signed(high)}]"
        shown["above the best"] = f"{_signed(row['difference'])}{sure}"
    for name in ("valid", "unique", "novel"):
        shown[name] = None if row[name] is None else f"{row[name]:.1%}"
    return shown


def _value(value: Any) -> str | None:
    """Return a setting as it is written: numbers without separators or rounding."""
    return None if value is None else str(value)
