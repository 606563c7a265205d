"""The progress of a training run: its lines, listeners that show them, and the callbacks of a run that is shown."""

from __future__ import annotations

import contextlib
import inspect
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from seqgen import training
from seqgen.checkpoint import RunFolder
from seqgen.errors import SeqgenError, UsageError, one_line, short_repr, shortened
from seqgen.render.text import counted, duration, visible, visible_line

Listener = Callable[[RunFolder, training.Event], None]
OnProgress = Callable[[str, int, int | None], None]
"""Callback of (activity, records done, records in total or None)."""
_SHOWN_CHARS = 100  # of a sample in a line
_FEW_RECORDS = 10  # of the validation part
_FEWEST_RECORDS = 20  # training records below which hardly anything is learned
MANY_RECORDS = 100_000
"""Number of records from which on reading shows its progress."""
_REDRAW_S = 0.5  # a notebook stores each picture that it is sent


def in_notebook() -> bool:
    """Return whether the process is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    return shell is not None and hasattr(shell.get_ipython(), "kernel")


def in_ipython() -> bool:
    """Return whether the process runs a notebook or another IPython shell."""
    shell = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None


class ProgressLine:
    """A listener for ``seqgen.train``: a line that is rewritten in place, and a line per evaluation.

    A stream that is neither a terminal nor a notebook's gets whole lines only.

    Args:
        stream: the stream to write to; None: ``sys.stderr``.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty() or in_ipython()
        self._width = 0

    def __call__(self, folder: RunFolder, event: training.Event) -> None:
        """Show an event."""
        if isinstance(event, training.Progress | training.Evaluating):
            self.rewrite(progress_line(event))
        for line in event_lines(folder, event):
            self.write(line)

    def on_progress(self, what: str, done: int, total: int | None) -> None:
        """Show the progress of reading and encoding, from 100,000 records on."""
        if done >= MANY_RECORDS:
            self.rewrite(reading_line(what, done, total))

    def write(self, line: str) -> None:
        """Write a line that is not rewritten."""
        line = visible(line)
        self._put(f"\r{line:{self._width}}\n" if self._width else f"{line}\n")
        self._width = 0

    def rewrite(self, line: str) -> None:
        """Show a line in the place of the last one, on a terminal or in a notebook."""
        if self._live:
            self._put(f"\r{line:{self._width}}")
            self._width = len(line)

    def clear(self) -> None:
        """Remove the line, so that other messages begin in its place."""
        if self._width:
            self._put(f"\r{'':{self._width}}\r")
        self._width = 0

    def _put(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a closed stream is no reason to stop training
            self._stream.write(text)
            self._stream.flush()


class NotebookDisplay(ProgressLine):
    """A listener for ``seqgen.train`` that shows the run in the output of a notebook's cell.

    One line is rewritten, and the loss curve grows.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None
        self._lines: list[str] = []
        self._metrics: list[dict[str, Any]] = []
        self._samples: list[str] = []
        self._line, self._drawn_s = "", 0.0

    def __call__(self, folder: RunFolder, event: training.Event) -> None:
        """Show an event."""
        if isinstance(event, training.Report):
            self._metrics.append(event.metrics)
            self._samples = [row.text for row in event.samples]
            self.rewrite(self._line, now=True)
        elif isinstance(event, training.Started):
            self._metrics = [line for line in folder.metrics.rows() if line["step"] <= event.step]
            self._lines += event_lines(folder, event)
            self.rewrite("", now=True)
        elif isinstance(event, training.Ended):
            self.rewrite("\n".join([*event_lines(folder, event), *_results(folder)]), now=True)
        else:
            super().__call__(folder, event)

    def write(self, line: str) -> None:
        """Show a line that is not rewritten."""
        self._lines.append(line)
        self.rewrite(self._line, now=True)

    def rewrite(self, line: str, *, now: bool = False) -> None:
        """Show a line in the place of the last one; some of very many are left out."""
        from IPython.display import HTML, display  # there is one where this is shown

        from seqgen.render.html import run_html

        self._line = line
        if not now and time.monotonic() - self._drawn_s < _REDRAW_S:
            return
        self._drawn_s = time.monotonic()
        shown = HTML(run_html(self._lines, self._metrics, self._samples, line))
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)


def _results(folder: RunFolder) -> list[str]:
    """Return the lines on the best step; none of a run that was interrupted before its first evaluation."""
    from seqgen.render.result_lines import result_lines

    try:
        state = folder.load_chosen("best", lambda line: None).state
    except SeqgenError:
        return []
    return result_lines(folder.settings(), state, list(folder.metrics.rows()))


def with_progress_line(
    listener: Listener | None, warn: Callable[[str], None] | None, progress: OnProgress | bool | None
) -> tuple[Listener | None, Callable[[str], None], OnProgress]:
    """Return the callbacks of a training run: listener, warnings and progress of reading.

    Args:
        listener: called with the run folder and each event, or None.
        warn: called with one line per warning; None: warnings are dropped, or written by the progress line.
        progress: whether to add a :class:`ProgressLine`, in a notebook with a curve; None: in IPython, if there is no
            listener; or a function that is called while the corpus is read.

    Raises:
        UsageError: one of them is no function of what it is called with.
    """
    check_callback("listener", listener, "folder", "event")
    check_callback("warn", warn, "line")
    check_callback("progress", None if isinstance(progress, bool) else progress, "activity", "done", "total")
    if progress is not None and not isinstance(progress, bool):
        return listener, warn or _ignore, progress
    if not (listener is None and in_ipython() if progress is None else progress):
        return listener, warn or _ignore, _ignore
    line = NotebookDisplay() if in_notebook() else ProgressLine()

    def both(folder: RunFolder, event: training.Event) -> None:
        line(folder, event)
        if listener is not None:
            listener(folder, event)

    return both, warn or line.write, line.on_progress


def check_callback(keyword: str, callback: object, *arguments: str) -> None:
    """Refuse a callback that cannot be called with as many arguments, before the first call.

    Args:
        keyword: the keyword it was passed by.
        callback: the callback, or None.
        arguments: names of what it is called with.

    Raises:
        UsageError: it cannot.
    """
    if callback is None:
        return
    try:
        inspect.signature(callback).bind(*arguments)  # type: ignore[arg-type]  # raises TypeError itself for no function
    except TypeError as error:
        call = ", ".join(arguments)
        raise UsageError(
            f"cannot call {keyword}={short_repr(callback, 80)}: {one_line(error)}; pass a function of ({call})"
        ) from None
    except ValueError:  # some written in C have no signature
        return


def _ignore(*_: object) -> None:
    """Ignore all arguments."""


# -- lines

_REASONS = {
    "steps": "the number of steps is reached",
    "epochs": "the number of epochs is reached",
    "time": "the time limit is reached",
    "patience": "the last evaluations gave no better step",
    "interrupted": "a signal stopped it",
}


def event_lines(folder: RunFolder, event: training.Event) -> list[str]:
    """Return the lines of an event: the headlines, an evaluation, the end; none for other events."""
    if isinstance(event, training.Started):
        return _headlines(folder, event)
    if isinstance(event, training.Report):
        return [_report(event)]
    if isinstance(event, training.Ended):
        reason = _REASONS[event.reason]
        if event.reason == "patience" and folder.settings().train.best_by == "copies":
            reason = f"copies stayed above {training.MAX_COPIES:.0%} of the samples in the last evaluations"
        return [f"ended at step {event.step:,}: {reason}"]
    return []


def progress_line(event: training.Progress | training.Evaluating, width: int | None = None) -> str:
    """Return the progress line of a training run.

    Args:
        event: the progress, or the start of an evaluation.
        width: available columns; None: unlimited. The least important parts are dropped first, the time left last.
    """
    if isinstance(event, training.Evaluating):
        return f"evaluating at step {event.step:,}"
    parts = {
        "step": f"step {event.step:,}",
        "loss": f"loss {event.loss_nats:.3f}",
        "bits": f"{event.bits_per_char:.3f} bits/char",
        "speed": f"{event.tokens_per_s:,.0f} tokens/s",
        "left": f"{duration(event.left_s)} left",
    }
    for name in ("speed", "bits", "step", "loss"):
        if width is None or len("  ".join(parts.values())) <= width:
            break
        del parts[name]
    return "  ".join(parts.values())


def reading_line(what: str, done: int, total: int | None) -> str:
    """Return the progress line of reading."""
    return f"{what}: {done:,}" + (f" of {total:,} records" if total else " records")


def _headlines(folder: RunFolder, event: training.Started) -> list[str]:
    settings, step = event.settings, event.step
    corpus, parts = settings.corpus, settings.corpus.parts
    unit, is_file = "record" if corpus.layout == "lines" else "symbol", corpus.name == "seqgen:file"
    held_out = f"{parts['valid']:,} validation, {parts['test']:,} test"
    if sum(parts.values()) == 1 and unit == "record":
        held_out += " (a single record: in a text file each line is one)"
    elif settings.train.best_by == "copies":
        most = f"{training.MAX_COPIES:.0%}"
        held_out += f" (few records: the best step is the last at which at most {most} of samples are copies)"
    elif 0 < parts["valid"] < _FEW_RECORDS and corpus.layout == "lines":
        way = "" if settings.start is None else ", or go by copies: -o best_by=copies"
        split = "A/B/C" if corpus.test is None else "A/B/0"
        held_out += (
            f" (too few to select the best step reliably; add more with --valid-file FILE or --split {split}{way})"
        )
    elif settings.refit is not None:
        refit = settings.refit
        there = f"its best step, {refit.step:,}, corresponds to {refit.steps:,} here"
        held_out += f" (refit of {visible(Path(refit.run).name)}: {there})"
    elif not parts["valid"]:
        held_out += " (no validation records: no early stopping)"
        by_hash = unit == "record" and is_file and corpus.valid is None and not parts["test"]
        if by_hash and settings.train.split[1] * parts["train"] >= _FEW_RECORDS:
            other = settings.train.split_seed + 1
            held_out += f"; is it the training part of the same split? -o split_seed={other} is another"
    if parts["train"] < _FEWEST_RECORDS and unit == "record" and settings.start is None:
        held_out += "; too few to learn much from: add records, or start from a run on similar ones (--from RUN)"
    action = f"resuming {folder.path} at step {step:,}" if step else f"training {folder.path}"
    begun = settings.start
    origin = f", from {visible(Path(begun.run).name)} at step {begun.step:,}" if begun is not None and not step else ""
    domain = corpus.domain.rpartition(":")[2]
    title = visible(corpus.title)
    if is_file and domain != "text":
        title += f" (domain: {domain})"
    return [
        f"{action}: {settings.architecture}, {settings.n_parameters:,} parameters{origin}",
        f"{title}: {counted(parts['train'], f'training {unit}')}, {held_out}",
        *([f"{visible(corpus.title)}: {', '.join(event.remarks)}"] if event.remarks else []),
    ]


def _report(event: training.Report) -> str:
    metrics = event.metrics
    figures = [f"step {metrics['step']:>6,}"]
    if "train_loss_nats" in metrics:
        figures.append(f"train {metrics['train_loss_nats']:.3f}")
    if "valid_loss_nats" in metrics:
        figures.append(f"held out {metrics['valid_loss_nats']:.3f} ({metrics['valid_bits_per_char']:.3f} bits/char)")
    samples = " · ".join(shortened(visible_line(sample.text), _SHOWN_CHARS) or "(empty)" for sample in event.samples)
    return "  ".join(figures) + (f"  {samples}" if samples else "")
