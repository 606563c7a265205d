"""The trackers of the runs that this process trains, and what each of them has been sent."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import seqgen
from seqgen import commands
from seqgen_tracking.sender import Report, Sender
from seqgen_tracking.trackers import RunFacts, open_tracker

_senders: dict[Path, list[_Channel]] = {}
_hanging: set[str] = set()
"""Trackers that an earlier run of this process waited for in vain, such as a trial of a study."""


class _Channel:
    """A tracker of a run, and a file in the run folder with the last step that it has been sent.

    Args:
        path: the run folder.
        settings: the content of run.json.
        wanted: the tracker, as NAME or NAME=PLACE.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], wanted: str) -> None:
        self._wanted = wanted
        name, _, place = wanted.partition("=")
        self._folder, self._file = seqgen.WorkFolder(path), f"tracking-{name}.json"
        sent = self._last_sent()
        facts = RunFacts.of(path, settings, resumed=sent is not None)
        self._last_step = -1 if sent is None else sent
        # Of a resumed run, what was logged but not sent before it was stopped.
        backlog = [report for row in _rows(self._folder) if self._is_new(report := Report.of(row))]
        self._sender = Sender(
            name, lambda: open_tracker(name, place, facts), commands.warn, self._record, backlog=backlog
        )

    def report(self, report: Report) -> None:
        """Queue a report, unless it has been sent by an earlier process of the run."""
        if self._is_new(report):
            self._sender.add(report)

    def end(self, reason: str) -> None:
        """Send the reason of the end, and wait for the tracker unless it hangs."""
        if not self._sender.end(reason):
            _hanging.add(self._wanted)

    def _is_new(self, report: Report) -> bool:
        """Return whether a report is of a later step than all before, and note its step."""
        is_new = report.step > self._last_step
        self._last_step = max(self._last_step, report.step)
        return is_new

    def _record(self, report: Report) -> None:
        self._folder.write_json(self._file, {"sent_step": report.step})

    def _last_sent(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, seqgen.CheckpointError):
            return int(json.loads(self._folder.read(self._file))["sent_step"])
        return None


def _rows(folder: seqgen.WorkFolder) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl that are there already."""
    rows: list[dict[str, Any]] = []
    with contextlib.suppress(OSError, seqgen.CheckpointError):
        for line in folder.read("metrics.jsonl").split(b"\n"):
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                if isinstance(row, dict) and isinstance(row.get("step"), int):
                    rows.append(row)
    return rows


def start(path: Path, settings: Mapping[str, Any], wanted: Sequence[str]) -> None:
    """Open the trackers of a run, each in its thread."""
    for one in wanted:
        if one in _hanging:
            commands.warn(f"tracker {one!r} has not answered an earlier run: this one is not sent to it")
    _senders[path] = [_Channel(path, settings, one) for one in wanted if one not in _hanging]


def report(path: Path, metrics: Mapping[str, Any], samples: Sequence[str]) -> None:
    """Queue the results of an evaluation of a run, if it is tracked."""
    for channel in _senders.get(path, ()):
        channel.report(Report.of(metrics, samples))


def end(path: Path, reason: str) -> None:
    """Send the reason of the end of a run to its trackers, if it has any, and forget it."""
    for channel in _senders.pop(path, ()):
        channel.end(reason)
