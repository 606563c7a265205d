"""Display of a training run: a live bar on a terminal, plain lines elsewhere, and a summary."""

from __future__ import annotations

import shlex
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.segment import Segments
from rich.text import Text

from seqgen import training
from seqgen.api.missing_plugin import plugin_options
from seqgen.checkpoint import name_for_commands
from seqgen.cli.common import print_view, say, session, stderr, warn, write
from seqgen.errors import SeqgenError, one_line
from seqgen.render import samples_table, sparkline
from seqgen.render.progress import MANY_RECORDS, event_lines, progress_line, reading_line
from seqgen.render.result_lines import result_lines
from seqgen.render.text import counted
from seqgen.signals import reraise_signal

if TYPE_CHECKING:
    from seqgen.api.run import Run
    from seqgen.checkpoint import RunFolder, RunSettings

_LEAST_BAR, _MAX_BAR, _PERCENT = 8, 30, 6  # columns of the bar, and of the share beside it with the spaces
_SAMPLES, _LONG_SAMPLES = 10, 2  # shown at the end


class TrainDisplay:
    """Listens to the events of a training; everything goes to stderr."""

    def __init__(self) -> None:
        self.started = False
        self._console: Console = stderr()
        self._live = self._console.is_terminal and not session.quiet
        self._bar_width = max(_LEAST_BAR, min(_MAX_BAR, self._console.width // 3))
        self._bar = Progress(
            BarColumn(self._bar_width),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[figures]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("train", total=1.0, figures="", visible=False)

    def __enter__(self) -> Self:
        """Start the bar."""
        if self._live:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._live:
            self._bar.stop()

    @property
    def callbacks(self) -> dict[str, Any]:
        """The callbacks that a command gives every function that trains, and its plugins."""
        return {"plugins": session.plugins, "listener": self.on_event, "warn": warn, "progress": self.on_progress}

    def on_event(self, folder: RunFolder, event: training.Event) -> None:
        """Show an event."""
        if isinstance(event, training.Progress | training.Evaluating):
            figures = progress_line(event, self._console.width - self._bar_width - _PERCENT)
            self._bar.update(self._task, completed=event.share, figures=figures, visible=True)
        for line in event_lines(folder, event):
            self._say(line)
        if isinstance(event, training.Started):
            self.started = True
            if session.verbose:
                self._say(_engine(event.settings))
        elif isinstance(event, training.Saved) and session.verbose:
            self._say(f"saved {event.path}")

    def on_progress(self, what: str, done: int, total: int | None) -> None:
        """Show how far reading and encoding are; short ones pass unseen."""
        share = done / total if total else 0.0
        figures = reading_line(what, done, total)
        self._bar.update(self._task, completed=share, figures=figures, visible=done >= MANY_RECORDS)

    def _say(self, line: str) -> None:
        if self._live:
            is_step = line.startswith("step ")  # one row of the terminal; other lines have advice to the end
            self._bar.console.print(Text(line), no_wrap=is_step, overflow="ellipsis" if is_step else None)
        else:
            say(line)

    def summary(self, run: Run) -> None:
        """Show the loss curve, samples with their scores, and the next commands."""
        if session.quiet:
            write(f"{run.path}\n")
            return
        rows = run.describe(run.sample(_SAMPLES if run.vocabulary.ends else _LONG_SAMPLES))
        metrics = run.metrics
        view: list[Any] = [Text("")]
        for part in ("train", "valid"):
            losses = [row[f"{part}_loss_nats"] for row in metrics if f"{part}_loss_nats" in row]
            if losses:
                name = "training" if part == "train" else "held out"
                view.append(Text(f"{name:9} {sparkline(losses)}  {losses[0]:.3f} → {losses[-1]:.3f} nats/symbol"))
        view += map(Text, result_lines(run.settings, run.state, metrics, run.model))
        view.append(samples_view(rows, run, self._console))
        print_view(self._console, Group(*view))
        name = shlex.quote(name_for_commands(run.folder))
        files = plugin_options(run.settings.plugins)
        sample = f"seqgen sample {name} -n 20{_conditioning(run, [row['text'] for row in rows])}{files}"
        further = "\n  ".join(["Next:", sample, f"seqgen evaluate {name}{files}", f"seqgen list cells{files}"])
        self._console.print(Text(further), soft_wrap=True)  # to be copied: never cut into two lines


def _conditioning(run: Run, texts: list[str]) -> str:
    """Return an option that suits a run: one of its conditions, or a prefix, unless its records begin with a field."""
    if run.vocabulary.conditions:
        field, _, value = run.vocabulary.conditions[0].partition("=")
        return f" --label {shlex.quote(value)}" if field == "label" else f" --given {shlex.quote(f'{field}={value}')}"
    has_fields = run.settings.corpus.multiline and any("=" in text for text in texts)
    prefix = texts[0][:2] if texts and not has_fields else ""
    return f" --prefix {prefix}" if prefix.isalnum() else ""


def samples_view(rows: list[dict[str, Any]], run: Run, console: Console) -> RenderableType:
    """Samples as a table, rendered as its domain does; as plain texts, with a warning, if its renderer fails.

    Args:
        rows: what ``Run.describe`` gives.
        run: theirs.
        console: where they will be shown.
    """
    try:
        table = samples_table(rows, run.renderer)
        return Segments(list(console.render(table)))  # here and now: what a renderer gives may fail when it is shown
    except (Exception, SystemExit) as error:
        reraise_signal()
        reason = str(error) if isinstance(error, SeqgenError) else run.plugins.describe_failure(error)
        reason = reason or f"{type(error).__name__}: {one_line(error)}"
        warn(f"cannot render the samples: {reason}; they are shown as plain text")
        return samples_table(rows)


def _engine(settings: RunSettings) -> str:
    engine = settings.engine
    how = f" ({engine.how})" if engine.how else ""
    return (
        f"engine {engine.name}{how} on {engine.device}, {counted(engine.threads, 'thread')}, {engine.precision}, "
        f"seed {settings.train.seed}"
    )
