"""The plot of a bench."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import seqgen

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SUFFIXES = (".svg", ".png")
_ROW_INCHES, _WIDTH_INCHES, _FRAME_INCHES = 0.32, 10.0, 1.3
_COLOUR = "#33658a"


def check_plot(suffix: str) -> None:
    """Refuse a plot that cannot be drawn, before anything is trained.

    Raises:
        BadOption: the suffix is of no supported format.
        MissingExtra: matplotlib is not installed.
    """
    if suffix not in _SUFFIXES:
        raise seqgen.BadOption(f"a plot ends in {' or '.join(_SUFFIXES)}, not {suffix!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise seqgen.MissingExtra("plot", "a plot")


def bench_plot(rows: Sequence[Mapping[str, Any]], title: str, suffix: str) -> bytes:
    """Return a plot with a line for each cell: bits per character with their interval, and both speeds.

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
        _bars(tokens, [row["tokens_per_s"] or 0 for row in drawn], "tokens/s")
        _bars(samples, [row["samples_per_s"] or 0 for row in drawn], "samples/s")
        bits.set_yticks(places, [row["cell"] for row in drawn])
        bits.set_ylim(max(1, len(drawn)) - 0.5, -0.5)  # the best on top
        bits.set_xlabel("bits per character (bar: 95% interval over seeds)")
        bits.grid(axis="both", alpha=0.3)
        figure.suptitle(seqgen.visible(title))
        written = io.BytesIO()
        metadata = {"Date": None} if suffix == ".svg" else {}  # the same results give the same file
        figure.savefig(written, format=suffix[1:], dpi=150, metadata=metadata)
    return written.getvalue()


def _bars(axes: Axes, values: Sequence[float], name: str) -> None:
    axes.barh(range(len(values)), values, color=_COLOUR, alpha=0.7)
    axes.set_xlabel(name)
    axes.grid(axis="x", alpha=0.3)
    axes.xaxis.set_major_formatter(lambda value, place: f"{value / 1000:g}k" if value else "0")
