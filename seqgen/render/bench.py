"""What a bench shows: a table, the same as CSV, and a plot."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from seqgen.errors import BadOption, MissingExtra
from seqgen.render.tables import plain_table
from seqgen.render.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]
"""A row a cell, the best first: cell, bits_per_char, interval (what its 95% interval adds to each side),
parameters, width, steps, lr, tokens_per_s, samples_per_s, seeds, problem; None where there is no figure."""

_COLUMNS = (
    "cell", "bits_per_char", "interval", "parameters", "width", "steps", "lr", "tokens_per_s", "samples_per_s", "seeds",
    "problem",
)  # fmt: skip
_SHOWN = tuple(name for name in _COLUMNS if name not in ("interval", "width", "problem"))  # eighty characters
_BITS = "bits/char ± 95%"
_HEADINGS = {
    "bits_per_char": _BITS,
    "parameters": "params",
    "width": "units",
    "tokens_per_s": "tokens/s",
    "samples_per_s": "samples/s",
}
_SUFFIXES = (".svg", ".png")
_ROW_INCHES, _WIDTH_INCHES, _FRAME_INCHES = 0.32, 10.0, 1.3
_COLOUR = "#33658a"


def bench_table(rows: Rows, title: str = "") -> Group:
    """The rows as a table, and below it why those failed that did; seeds and rates are left out where all have one."""
    differs = {name: len({row[name] for row in rows if row[name] is not None}) > 1 for name in ("seeds", "lr")}
    columns = [name for name in _SHOWN if differs.get(name, True)]
    shown = [
        {_HEADINGS.get(name, name): _whole(row[name]) if name.endswith("_per_s") else row[name] for name in columns}
        | {_BITS: _bits(row["bits_per_char"], row["interval"])}
        for row in rows
    ]
    names = {} if any(row["interval"] is not None for row in rows) else {_BITS: "bits/char"}  # one seed has none
    shown = [{names.get(name, name): value for name, value in row.items()} for row in shown]
    heads = [_HEADINGS.get(name, name) for name in columns]
    table = plain_table(shown, [names.get(head, head) for head in heads], title)
    return Group(table, *(Text(visible(f"{row['cell']}: {row['problem']}")) for row in rows if row["problem"]))


def _bits(bits: float | None, interval: float | None) -> str | None:
    if bits is None:
        return None
    return f"{bits:.3f}" if interval is None else f"{bits:.3f} ± {interval:.3f}"


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def bench_csv(rows: Rows) -> bytes:
    """The rows as CSV with a line of names, UTF-8; what is not there is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dict(row) for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def check_plot(suffix: str) -> None:
    """Refuse a plot that could not be drawn, before anything is trained for it.

    Raises:
        BadOption: no picture ends so.
        MissingExtra: matplotlib is not installed.
    """
    if suffix not in _SUFFIXES:
        raise BadOption(f"a plot ends in {' or '.join(_SUFFIXES)}, not {suffix!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("plot", "a plot")


def bench_plot(rows: Rows, title: str, suffix: str) -> bytes:
    """The figures side by side, a line a cell: bits per character with their interval, and both speeds.

    Args:
        rows: those without bits per character are left out.
        title: above it.
        suffix: ".svg" or ".png".

    Raises:
        BadOption, MissingExtra: see ``check_plot``.
    """
    check_plot(suffix)
    import matplotlib
    from matplotlib.figure import Figure

    drawn = [row for row in rows if row["bits_per_char"] is not None]
    with matplotlib.rc_context({"svg.hashsalt": "seqgen", "text.parse_math": False, "axes.unicode_minus": False}):
        figure = Figure((_WIDTH_INCHES, _FRAME_INCHES + _ROW_INCHES * max(1, len(drawn))), layout="constrained")
        bits, tokens, samples = figure.subplots(1, 3, sharey=True, width_ratios=(2, 1, 1))
        places = list(range(len(drawn)))
        for place, row in zip(places, drawn, strict=True):
            bits.errorbar(row["bits_per_char"], place, xerr=row["interval"], fmt="o", color=_COLOUR, capsize=3)
        _bars(tokens, [row["tokens_per_s"] or 0 for row in drawn], "tokens/s trained")
        _bars(samples, [row["samples_per_s"] or 0 for row in drawn], "samples/s drawn")
        bits.set_yticks(places, [row["cell"] for row in drawn])
        bits.set_ylim(max(1, len(drawn)) - 0.5, -0.5)  # the best on top
        bits.set_xlabel("bits per character (bar: 95% interval over seeds)")
        bits.grid(axis="both", alpha=0.3)
        figure.suptitle(visible(title))
        written = io.BytesIO()
        metadata = {"Date": None} if suffix == ".svg" else {}  # the same figures give the same file
        figure.savefig(written, format=suffix[1:], dpi=150, metadata=metadata)
    return written.getvalue()


def _bars(axes: Axes, values: Sequence[float], name: str) -> None:
    axes.barh(range(len(values)), values, color=_COLOUR, alpha=0.7)
    axes.set_xlabel(name)
    axes.grid(axis="x", alpha=0.3)
    axes.xaxis.set_major_formatter(lambda value, place: f"{value / 1000:g}k" if value else "0")
