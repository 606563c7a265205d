"""The plot of a study."""

from __future__ import annotations

import importlib.util
import io
import math
from typing import TYPE_CHECKING, Any

import seqgen
from seqgen_tune.dimension import as_number
from seqgen_tune.render import short

if TYPE_CHECKING:
    from seqgen_tune.dimension import Dimension
    from seqgen_tune.results import TuneResult

_SUFFIXES = (".svg", ".png")
_COLOUR, _MARKS = "#33658a", {"color": "#33658a", "alpha": 0.7, "s": 18}
_WIDTH_INCHES, _ROW_INCHES, _COLUMNS = 10.0, 2.8, 3


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


def tune_plot(result: TuneResult, suffix: str) -> bytes:
    """Return a plot: bits per character by trial, importance, and bits per character by the values of each setting.

    Args:
        result: the study; trials that did not finish are left out.
        suffix: ".svg" or ".png".

    Raises:
        BadOption, MissingExtra: see ``check_plot``.
    """
    check_plot(suffix)
    import matplotlib
    from matplotlib.figure import Figure

    settings = list({one.name: one for one in result.space}.values())
    n_rows = -(-(2 + len(settings)) // _COLUMNS)
    with matplotlib.rc_context({"svg.hashsalt": "seqgen", "text.parse_math": False, "axes.unicode_minus": False}):
        figure = Figure((_WIDTH_INCHES, 0.5 + _ROW_INCHES * n_rows), layout="constrained")
        axes = iter(figure.subplots(n_rows, _COLUMNS, squeeze=False).flat)
        _draw_history(next(axes), result)
        _draw_importance(next(axes), result)
        for own in settings:
            _draw_setting(next(axes), result, own)
        for empty in axes:
            empty.set_axis_off()
        figure.suptitle(f"{seqgen.visible(result.corpus)}, validation part, {result.counts}")
        written = io.BytesIO()
        metadata = {"Date": None} if suffix == ".svg" else {}  # the same results give the same file
        figure.savefig(written, format=suffix[1:], dpi=150, metadata=metadata)
    return written.getvalue()


def _draw_history(axes: Any, result: TuneResult) -> None:
    finished = sorted(result.ranked, key=lambda one: one.number)
    numbers, bits = [one.number for one in finished], [one.bits_per_char or 0.0 for one in finished]
    best = [min(bits[: n + 1]) for n in range(len(bits))]
    axes.scatter(numbers, bits, **_MARKS)
    axes.step(numbers, best, where="post", color=_COLOUR)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("trial (line: the best so far)")
    axes.set_ylabel("bits per character")
    axes.grid(alpha=0.3)


def _draw_importance(axes: Any, result: TuneResult) -> None:
    if not result.importance:
        axes.text(0.5, 0.5, "importance of the settings:\ntoo few finished trials", ha="center", va="center")
        axes.set_axis_off()
        return
    names = [short(name) for name in result.importance]
    axes.barh(range(len(names)), list(result.importance.values()), color=_COLOUR, alpha=0.7)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("importance (PED-ANOVA)")


def _draw_setting(axes: Any, result: TuneResult, setting: Dimension) -> None:
    from matplotlib.ticker import LogLocator

    there = [one for one in result.ranked if setting.name in one.values]
    values = [one.values[setting.name] for one in there]
    if setting.choices:
        choices = list(dict.fromkeys([*map(as_number, setting.choices), *values]))  # another part may have others
        values = [choices.index(value) for value in values]
        axes.set_xticks(range(len(choices)), choices)
    elif setting.log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=_tick_digits(values)))
        axes.xaxis.set_major_formatter(lambda value, place: f"{value:g}")  # without the powers, which are mathematics
        axes.xaxis.set_minor_formatter(lambda value, place: "")
    axes.scatter(values, [one.bits_per_char for one in there], **_MARKS)
    axes.set_xlabel(short(setting.name))
    axes.grid(alpha=0.3)


def _tick_digits(values: list[float]) -> tuple[int, ...]:
    """Return the leading digits of the numbers on a logarithmic axis: more of them where it spans less."""
    decades = math.log10(max(values) / min(values)) if values else 0.0
    return (1, 2, 5) if decades < 1.5 else (1, 3) if decades < 2.5 else (1,)
