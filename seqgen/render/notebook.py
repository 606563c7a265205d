"""The display of a training run in a notebook: one line that is rewritten, and the loss curve, which grows."""

from __future__ import annotations

import time
from typing import Any

from seqgen import training
from seqgen.checkpoint import RunFolder
from seqgen.errors import SeqgenError
from seqgen.render.html import run_html
from seqgen.render.progress import MANY_RECORDS, evaluating_line, event_lines, progress_line, reading_line
from seqgen.render.result_lines import result_lines

_REDRAW_S = 0.5  # a notebook stores each picture that it is sent


class NotebookDisplay:
    """A listener for ``seqgen.train`` that shows the run in the output of a notebook's cell."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._lines: list[str] = []
        self._metrics: list[dict[str, Any]] = []
        self._samples: list[str] = []
        self._live, self._drawn_s = "", 0.0

    def __call__(self, folder: RunFolder, event: training.Event) -> None:
        """Show an event."""
        if isinstance(event, training.Progress):
            self._show(progress_line(event))
        elif isinstance(event, training.Evaluating):
            self._show(evaluating_line(event))
        elif isinstance(event, training.Report):
            self._metrics.append(event.metrics)
            self._samples = [row.text for row in event.samples]
            self._show(self._live, now=True)
        elif isinstance(event, training.Started):
            self._metrics = [line for line in folder.metrics.rows() if line["step"] <= event.step]
            self._lines += event_lines(folder, event)
            self._show("", now=True)
        elif isinstance(event, training.Ended):
            self._show("\n".join([*event_lines(folder, event), *_results(folder)]), now=True)

    def on_progress(self, what: str, done: int, total: int | None) -> None:
        """Show the progress of reading and encoding, from 100,000 records on."""
        if done >= MANY_RECORDS:
            self._show(reading_line(what, done, total))

    def write(self, line: str) -> None:
        """Show a line that is not rewritten."""
        self._lines.append(line)
        self._show(self._live, now=True)

    def _show(self, live: str, *, now: bool = False) -> None:
        """Show a line in the place of the last one; some of very many are left out."""
        from IPython.display import HTML, display  # there is one where this is shown

        self._live = live
        if not now and time.monotonic() - self._drawn_s < _REDRAW_S:
            return
        self._drawn_s = time.monotonic()
        shown = HTML(run_html(self._lines, self._metrics, self._samples, self._live))
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)


def _results(folder: RunFolder) -> list[str]:
    """Return the lines on the best step; none of a run that was interrupted before its first evaluation."""
    try:
        state = folder.load_chosen("best", lambda line: None).state
    except SeqgenError:
        return []
    return result_lines(folder.settings(), state, list(folder.metrics.rows()))
