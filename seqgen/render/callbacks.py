"""The callbacks of a training run that shows its progress."""

from __future__ import annotations

from collections.abc import Callable

from seqgen import training
from seqgen.checkpoint import RunFolder
from seqgen.render.notebook import NotebookDisplay
from seqgen.render.progress import Listener, OnProgress, ProgressLine, in_ipython, in_notebook


def with_progress_line(
    listener: Listener | None, warn: Callable[[str], None] | None, progress: OnProgress | bool | None
) -> tuple[Listener | None, Callable[[str], None], OnProgress]:
    """Return the callbacks of a training run: listener, warnings and progress of reading.

    Args:
        listener: called with the run folder and each event, or None.
        warn: called with one line per warning; None: warnings are dropped, or written by the progress line.
        progress: whether to add a :class:`ProgressLine`, in a notebook with a curve; None: in IPython, if there is no
            listener; or a function that is called while the corpus is read.
    """
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


def _ignore(*_: object) -> None:
    """Ignore all arguments."""
