"""Plots of the page as SVG, drawn by matplotlib without a display, in the colours of the page."""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import seqgen
from seqgen import measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins for the colours of the page: text, this run, its comparison, lines of the grid.
_INK, _OWN, _OTHER, _GRID = "#010203", "#010204", "#010205", "#010206"
_VARIABLES = {_INK: "currentColor", _OWN: "var(--own)", _OTHER: "var(--other)", _GRID: "var(--grid)"}
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none", "font.size": 12, "axes.labelsize": 12, "xtick.labelsize": 11, "ytick.labelsize": 11,
    "legend.fontsize": 11, "text.parse_math": False, "text.color": _INK, "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK, "axes.spines.top": False,
    "axes.spines.right": False, "axes.axisbelow": True, "grid.color": _GRID, "grid.linewidth": 0.8,
    "legend.frameon": False,
}  # fmt: skip
_HEAD = re.compile(r"^.*?(?=<svg)|<metadata>.*?</metadata>|<style[^>]*>.*?</style>|xmlns(:\w+)?=\"[^\"]*\"", re.S)
_MAX_BARS, _MAX_BINS = 30, 40

Draw = Callable[["Axes"], None]


def svg(name: str, described: str, draw: Draw, size: tuple[float, float] = (7.2, 3.4)) -> str:
    """Return a plot as an ``<svg>`` element.

    Args:
        name: unique on the page; letters only.
        described: a description for those who cannot see it, plain text.
        draw: draws on axes.
        size: width and height, inches of 72 units.
    """
    import html

    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the reader's fonts draw the text
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True)
    drawn = _HEAD.sub("", out.getvalue()).replace("xlink:href", "href")
    drawn = re.sub(r'(id="|href="#|url\(#)', rf"\1{name}-", drawn)  # matplotlib counts from 1 in each figure
    drawn = re.sub(r"font: ([^;\"]*)px [^;\"]*", r"font-size: \1px; font-family: inherit", drawn)
    for colour, variable in _VARIABLES.items():
        drawn = drawn.replace(colour, variable)
    label = html.escape(described)
    return drawn.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).replace(">", f"><title>{label}</title>", 1)


def curve(metrics: Sequence[Mapping[str, Any]]) -> Draw:
    """Plot the training and validation loss over the steps, in nats per symbol."""

    def draw(axes: Axes) -> None:
        for key, label, colour in (("train_loss_nats", "training", _OTHER), ("valid_loss_nats", "validation", _OWN)):
            points = [(row["step"], row[key]) for row in metrics if row.get(key) is not None]
            if key == "train_loss_nats" and measure.is_blended(metrics):
                label = "training (network alone)"
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, label=label, linewidth=2, marker="o", markersize=3)
        axes.set_xlabel("step")
        axes.set_ylabel("nats per symbol")
        axes.grid(axis="y")
        axes.legend()

    return draw


def bars(values: Mapping[str, float], own: Sequence[str], unit: str) -> Draw:
    """Plot horizontal bars by label, each with its value; those of ``own`` stand out."""

    def draw(axes: Axes) -> None:
        names = list(values)[::-1]
        lengths = [values[name] for name in names]
        drawn = axes.barh(names, lengths, color=[_OWN if name in own else _OTHER for name in names])
        axes.bar_label(drawn, [f"{value:.3f}" for value in lengths], padding=4)
        axes.set_xlim(0, 1.12 * max(lengths) or 1)
        axes.set_xlabel(unit)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)

    return draw


def lengths(samples: Sequence[str], held_out: Sequence[str]) -> Draw:
    """Plot histograms of the lengths of samples and held-out records, as shares."""

    def draw(axes: Axes) -> None:
        found = {"held-out records": [len(text) for text in held_out], "samples": [len(text) for text in samples]}
        low = min(min(some) for some in found.values() if some)
        high = max(max(some) for some in found.values() if some)
        step = max(1, -(-(high - low + 1) // _MAX_BINS))
        edges = [edge - 0.5 for edge in range(low, high + step + 1, step)]
        for (label, some), colour in zip(found.items(), (_OTHER, _OWN), strict=True):
            if some:
                style: dict[str, Any] = {"linewidth": 2} if colour == _OWN else {"alpha": 0.6}
                kind = "step" if colour == _OWN else "stepfilled"
                shares = [1 / len(some)] * len(some)
                axes.hist(some, edges, weights=shares, histtype=kind, color=colour, label=label, **style)  # type: ignore[arg-type]
        axes.set_xlabel("characters")
        axes.set_ylabel("share")
        axes.grid(axis="y")
        axes.legend()

    return draw


def symbols(samples: Sequence[str], held_out: Sequence[str]) -> Draw:
    """Plot the shares of the most frequent characters in held-out records and in samples."""

    def draw(axes: Axes) -> None:
        counts = [Counter("".join(texts)) for texts in (held_out, samples)]
        shown = [name for name, _ in (counts[0] or counts[1]).most_common(_MAX_BARS)]
        for count, label, colour, shift in zip(
            counts, ("held-out records", "samples"), (_OTHER, _OWN), (-0.2, 0.2), strict=True
        ):
            total = count.total() or 1
            places = [at + shift for at in range(len(shown))]
            axes.bar(places, [count[name] / total for name in shown], 0.4, color=colour, label=label)
        axes.set_xticks(range(len(shown)), [seqgen.visible(name).replace(" ", "␠") for name in shown])
        axes.set_xlim(-0.7, len(shown) - 0.3)
        axes.set_ylabel("share")
        axes.grid(axis="y")
        axes.legend()

    return draw


def _errors(metrics: Mapping[str, float], name: str) -> tuple[float, float]:
    """Return how far the interval of a metric reaches below and above its value; 0 where there is none."""
    value, low, high = (metrics.get(name + ending) for ending in ("", "_low", "_high"))
    if value is None or low is None or high is None:
        return 0.0, 0.0
    return max(value - low, 0.0), max(high - value, 0.0)


def beside_chance(metrics: Mapping[str, float], rows: Mapping[str, str], unit: str) -> Draw:
    """Plot metrics of the samples beside those of held-out records, with intervals; ``rows`` has their labels."""

    def draw(axes: Axes) -> None:
        names = list(rows)[::-1]
        for ending, label, colour, shift in (("", "samples", _OWN, 0.2), ("_chance", "by chance", _OTHER, -0.2)):
            places = [at + shift for at in range(len(names))]
            values = [float(metrics.get(name + ending) or 0.0) for name in names]
            errors = list(zip(*(_errors(metrics, name + ending) for name in names), strict=True))
            drawn = axes.barh(places, values, 0.4, xerr=errors, color=colour, label=label, error_kw={"ecolor": _INK})
            axes.bar_label(drawn, [f"{value:.2f}" for value in values], padding=4)
        axes.set_yticks(range(len(names)), [rows[name] for name in names])
        axes.margins(x=0.15)
        axes.set_xlabel(unit)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=2)

    return draw
