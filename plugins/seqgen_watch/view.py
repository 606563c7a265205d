"""Frames of ``seqgen watch`` as rich shows them, and lines for where there is no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from seqgen import commands, visible
from seqgen_watch.curves import COUNTING, HELD_OUT, TRAINING, Curves, bar
from seqgen_watch.files import whole
from seqgen_watch.groups import GroupView
from seqgen_watch.run import RunView

View = RunView | GroupView
_STYLES = {"running": "green", "killed": "red", "damaged": "red", "silent": "yellow"}
_TRAINING, _HELD_OUT, _COUNTS = "train_bits_per_char", "valid_bits_per_char", "valid_counts_bits_per_char"
_BAR = 30
_GAP = Text("  ")
_CHROME = 11  # rows of the frame of a run beside the curves and the samples, on a narrow terminal
_FEWEST_ROWS, _MOST_ROWS = 5, 12  # of the curves
_SPARE_OF_RUNS = ("trained", "speed", "counting", "best", "step", "held out")  # dropped if narrow, the first one first
_SPARE_OF_GROUPS = ("parameters", "step", "left")


def frame(views: Sequence[View], height: int | None = None) -> RenderableType:
    """Return the frame of some runs and groups: one run with its curves, several as a table.

    Args:
        views: what is shown.
        height: rows of the terminal, which the frame does not exceed as far as it can; None: unlimited.
    """
    runs = [view for view in views if isinstance(view, RunView)]
    parts: list[RenderableType] = []
    if len(views) == 1 and runs:
        return _run_frame(runs[0], height)
    if runs:
        parts.append(_runs_table(runs, height))
    for group in views:
        if isinstance(group, GroupView):
            parts.append(_group_frame(group, height))
    return Group(*parts)


def _run_frame(view: RunView, height: int | None) -> RenderableType:
    parts: list[RenderableType] = [_headline(view)]
    if view.title:
        parts.append(Text(visible(view.title), style="dim"))
    parts.append(_Progress(view))
    training, held_out = view.curve(_TRAINING), view.curve(_HELD_OUT)
    shown = view.samples[: max(1, len(view.samples) if height is None else height - _CHROME - _FEWEST_ROWS)]
    if training or held_out:
        rows = _MOST_ROWS if height is None else height - _CHROME - len(shown)
        steps = [step for step, _ in [*training, *held_out]]
        last = view.max_steps if view.runs and view.max_steps else max(steps)
        counting = view.last(_COUNTS)
        parts += [_legend(view), Curves(training, held_out, counting, last, max(_FEWEST_ROWS, min(_MOST_ROWS, rows)))]
    elif view.runs:
        parts.append(Text("no evaluation yet", style="dim"))
    if shown and view.sampled_at is not None:
        parts.append(Text(f"samples at step {view.sampled_at:,}", style="dim"))
        parts += [_line(Text(f"  {visible(text)}")) for text in shown]
    return Group(*parts)


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _headline(view: View) -> Text:
    status = view.status if isinstance(view, RunView) else "running" if view.runs else ""
    return Text.assemble((visible(view.name), "bold"), "  ", (visible(view.state), _STYLES.get(status, "")))


@dataclass(frozen=True)
class _Progress:
    """A bar and what goes with it, beside it or, on a narrow terminal, below."""

    view: RunView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        view = self.view
        facts = [Text(fact) for fact in (_steps(view), _speed(view), _trained(view), _left(view)) if fact]
        if view.share is None:
            yield _Flow(facts)
            return
        percent = f" {view.share:4.0%}"
        columns = options.max_width - len(percent) - 2 - len(_GAP.join(facts))
        beside = columns >= _BAR // 3
        width = min(_BAR, columns if beside else options.max_width - len(percent))
        shown = Text.assemble(bar(view.share, max(1, width), options.ascii_only), percent)
        if beside:
            yield _GAP.join([shown, *facts])
        else:
            yield shown
            yield _Flow(facts)


@dataclass(frozen=True)
class _Flow:
    """Texts side by side, as many in a line as fit; no line breaks within one that fits."""

    parts: Sequence[Text]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line: list[Text] = []
        for part in self.parts:
            if line and len(_GAP.join([*line, part])) > options.max_width:
                yield _GAP.join(line)
                line = []
            line.append(part)
        yield _GAP.join(line)


def _steps(view: RunView) -> str:
    if view.step is None:
        return ""
    limit = f" of {view.max_steps:,}" if view.max_steps else ""
    return f"step {'~' if view.is_estimate else ''}{view.step:,}{limit}"


def _speed(view: RunView) -> str:
    return "" if view.steps_per_s is None else f"{view.steps_per_s:.3g} steps/s"


def _trained(view: RunView) -> str:
    return f"{commands.duration(view.trained_s)} trained" if view.trained_s else ""


def _left(view: RunView) -> str:
    return "" if view.left_s is None else f"{commands.duration(view.left_s)} left"


def _legend(view: RunView) -> RenderableType:
    """Return the last values of the curves, each in its curve's style, in bits per character."""
    parts = [Text("bits/char", style="dim")]
    if (value := view.last(_TRAINING)) is not None:
        parts.append(Text(f"training {value:.3f}", style=TRAINING))
    if (value := view.last(_HELD_OUT)) is not None:
        parts.append(Text(f"held out {value:.3f}", style=HELD_OUT))
    if (best := view.best()) is not None:
        by_copies = any("expected_copies" in row for row in view.metrics)  # a step with a lower loss may copy more
        parts.append(Text(f"{'kept' if by_copies else 'best'} {best:.3f} at {view.best_step:,}"))
    if (counting := view.last(_COUNTS)) is not None:
        parts.append(Text(f"counting {counting:.3f}", style=COUNTING))
    return _Flow(parts)


def _runs_table(runs: Sequence[RunView], height: int | None) -> RenderableType:
    rows = [
        {
            "run": view.name,
            "state": view.state,
            "done": None if view.share is None else f"{view.share:.0%}",
            "step": view.step,
            "held out": view.last(_HELD_OUT),
            "best": view.best(),
            "counting": view.last(_COUNTS),
            "speed": _speed(view) or None,
            "trained": commands.duration(view.trained_s) if view.trained_s else None,
            "left": None if view.left_s is None else commands.duration(view.left_s),
        }
        for view in runs
    ]
    columns = ["run", "state", "done", "step", "held out", "best", "counting", "speed", "trained", "left"]
    return _table(rows, [one for one in columns if any(row[one] is not None for row in rows)], _SPARE_OF_RUNS, height)


def _group_frame(group: GroupView, height: int | None) -> RenderableType:
    parts: list[RenderableType] = [_headline(group), Text(visible(group.title), style="dim")]
    if group.counts is not None:
        parts.append(Text(f"counting {group.counts:.3f} bits/char", style=COUNTING))
    rows = [{**row, "left": None if row.get("left") is None else commands.duration(row["left"])} for row in group.rows]
    shown = [column for column in group.columns if any(row.get(column) not in (None, "") for row in rows)]
    if rows:
        parts.append(_table(rows, shown, _SPARE_OF_GROUPS, height))
    return Group(*parts)


def _table(rows: list[dict[str, Any]], columns: list[str], spare: Sequence[str], height: int | None) -> RenderableType:
    """Return a table that is no higher than the terminal; a line says how many rows are left out."""
    room = len(rows) if height is None else max(3, height - 8)
    table = commands.table(rows[:room], columns, spare=spare, folded=("run", "values"))
    if len(rows) <= room:
        return table
    return Group(table, Text(f"and {len(rows) - room:,} more", style="dim"))


# -- where there is no terminal


def lines(view: View) -> list[str]:
    """Return what is reported of a run or a group where there is no terminal: a line for each thing that changes."""
    if isinstance(view, RunView):
        return [_run_line(view)]
    listed = [f"{view.name}: {view.state}"]
    for row in view.rows:
        label, bits = row.get("run", row.get("trial")), row.get("bits_per_char")
        figures = "" if bits is None else f"  {bits:.3f} bits/char"
        listed.append(f"{view.name}  {label}  {row.get('state', '')}{figures}")
    return listed


def _run_line(view: RunView) -> str:
    """Return a line that changes when there is a new evaluation, or another state."""
    parts = [view.name, view.state]
    steps = [step for row in view.metrics if (step := whole(row, "step")) is not None]
    if steps:
        limit = f" of {view.max_steps:,}" if view.max_steps else ""
        parts.append(f"step {steps[-1]:,}{limit}")
    if (value := view.last(_TRAINING)) is not None:
        parts.append(f"training {value:.3f}")
    if (value := view.last(_HELD_OUT)) is not None:
        parts.append(f"held out {value:.3f} bits/char")
    return "  ".join(parts)
