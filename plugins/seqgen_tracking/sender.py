"""A bounded queue and a thread between a training run and a tracker, which may hang or fail."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import seqgen

MOST = 1000
"""Reports that wait for a tracker; further ones are dropped."""
HANGS_S = 30.0
"""Seconds of one call of a tracker after which the end of a run waits for it no longer."""
_OPENING = 2  # times as long for the first, which imports a library and may make a data base
_PAUSE_S = 0.02


@dataclass(frozen=True)
class Report:
    """The results of an evaluation.

    Attributes:
        step: optimizer steps done.
        metrics: the other numbers of the line in metrics.jsonl, by name.
        samples: the texts sampled at that step.
    """

    step: int
    metrics: Mapping[str, float]
    samples: Sequence[str] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any], samples: Sequence[str] = ()) -> Report:
        """Return a line of metrics.jsonl, with samples of its step, as a report."""
        numbers = {
            name: float(value)
            for name, value in row.items()
            if name != "step" and isinstance(value, int | float) and not isinstance(value, bool)
        }
        return cls(int(row["step"]), numbers, tuple(samples))


class Tracker(Protocol):
    """A run in a tracker, open to be written to; all methods are called from one thread."""

    def send(self, report: Report) -> None:
        """Send the results of an evaluation."""
        ...

    def end(self, reason: str) -> None:
        """Send the reason of the end, such as "steps", and close the run."""
        ...


def _reason(error: Exception) -> str:
    """Return the reason of a failure in one line; of a file that cannot be used, its name and the system's words."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"cannot use {str(error.filename)!r}: {error.strerror}"
    return seqgen.failure_reason(error)


class Sender:
    """Sends events to a tracker from a thread of its own; adding one takes microseconds, whatever the tracker does.

    Args:
        name: of the tracker, for messages.
        open_tracker: opens it, in the thread.
        warn: called with one line at the first problem.
        on_sent: called after each report that the tracker has taken, in the thread, up to the first that was dropped.
        backlog: reports that are sent before those that are added, however many they are.
        hangs_s: seconds after which a call counts as hanging.
    """

    def __init__(
        self,
        name: str,
        open_tracker: Callable[[], Tracker],
        warn: Callable[[str], None],
        on_sent: Callable[[Report], None] = lambda report: None,
        backlog: Sequence[Report] = (),
        hangs_s: float = HANGS_S,
    ) -> None:
        self._name, self._open, self._warn, self._on_sent, self._hangs_s = name, open_tracker, warn, on_sent, hangs_s
        self._backlog = backlog
        self._queue: queue.Queue[Report | str] = queue.Queue(MOST)
        self._first_dropped = math.inf  # its step
        self._called_at = time.monotonic()  # infinite between two calls: only a call hangs
        self._patience_s = _OPENING * hangs_s
        self._is_warned = False
        self._thread = threading.Thread(target=self._run, name=f"seqgen-{name}", daemon=True)
        self._thread.start()

    def add(self, report: Report) -> None:
        """Queue a report; one that finds the queue full is dropped."""
        if self._thread.is_alive():
            try:
                self._queue.put_nowait(report)
            except queue.Full:
                self._first_dropped = min(self._first_dropped, report.step)
                self._complain(f"is slow: {MOST:,} reports wait for it, and it does not get all")

    def send(self, tracker: Tracker, report: Report) -> None:
        """Give a report to the tracker, in its thread, and note that it has all up to this one, unless it has not."""
        self._called_at, self._patience_s = time.monotonic(), self._hangs_s
        tracker.send(report)
        if report.step < self._first_dropped:
            self._on_sent(report)

    def end(self, reason: str) -> bool:
        """Queue the reason of the end, and wait until the tracker has taken all.

        Returns:
            False if it hangs, so that it is waited for no longer.
        """
        is_queued = False
        while self._thread.is_alive():
            if not is_queued:
                with contextlib.suppress(queue.Full):  # a slow tracker makes room for it in a moment
                    self._queue.put_nowait(reason)
                    is_queued = True
            if time.monotonic() - self._called_at > self._patience_s:
                self._complain(f"has not answered for {self._patience_s:g} s: it does not get all")
                return False
            self._thread.join(_PAUSE_S)
        return True

    def _run(self) -> None:
        try:
            tracker = self._open()
            for report in self._backlog:
                self.send(tracker, report)
            while True:
                self._called_at = math.inf
                event = self._queue.get()
                if isinstance(event, str):
                    self._called_at, self._patience_s = time.monotonic(), self._hangs_s
                    tracker.end(event)
                    return
                self.send(tracker, event)
        except Exception as error:
            self._complain(f"gets nothing further: {_reason(error)}")
        except SystemExit as error:  # a library that exits ends only its thread
            self._complain(f"gets nothing further: it exits with {error.code!r}")

    def _complain(self, problem: str) -> None:
        """Warn, once a run."""
        if not self._is_warned:
            self._is_warned = True
            self._warn(f"tracker {self._name!r} {problem}; the training goes on")
