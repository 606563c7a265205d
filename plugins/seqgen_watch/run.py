"""A run as its files show it: its state, its rate, and the time left."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqgen_watch.files import Files, folders_in, number, parse_json, parse_lines, part, parts, stamp_of, whole, words

SILENT_S = 180.0
"""Seconds without a change after which a run on another machine no longer counts as running."""
_CHECKPOINTS = "checkpoints"
_N_SAMPLES = 6


@dataclass(frozen=True)
class RunView:
    """A run at a moment.

    Attributes:
        name: the name of its folder.
        title: what it is: the cells, the parameters and the corpus; "" if run.json cannot be read.
        status: "running", "ended", "stopped", "killed", "silent" or "damaged".
        state: the status in words, such as "ended: steps".
        step: optimizer steps done; while it runs an estimate between two checkpoints.
        is_estimate: whether ``step`` is one.
        max_steps: the step at which it ends at the latest; None: it ends by time.
        share: the fraction that is done, 0 to 1; None: unknown.
        left_s: the seconds left at most; None: unknown, or it does not run.
        steps_per_s: optimizer steps per second, evaluations included; None: unknown.
        trained_s: seconds of training and evaluation.
        metrics: the lines of metrics.jsonl.
        best_step: the step that an evaluation found best.
        sampled_at: the step of the samples.
        samples: the last samples.
    """

    name: str
    title: str
    status: str
    state: str
    step: int | None = None
    is_estimate: bool = False
    max_steps: int | None = None
    share: float | None = None
    left_s: float | None = None
    steps_per_s: float | None = None
    trained_s: float = 0.0
    metrics: list[dict[str, Any]] = field(default_factory=list)
    best_step: int | None = None
    sampled_at: int | None = None
    samples: list[str] = field(default_factory=list)

    @property
    def runs(self) -> bool:
        """True while it is being trained."""
        return self.status == "running"

    def last(self, key: str) -> float | None:
        """Return the last value of a metric that is a finite number; None if there is none."""
        points = self.curve(key)
        return points[-1][1] if points else None

    def best(self) -> float | None:
        """Return the held-out bits per character at the best step."""
        return next((bits for step, bits in self.curve("valid_bits_per_char") if step == self.best_step), None)

    def curve(self, key: str) -> list[tuple[int, float]]:
        """Return (step, value) of each line of the log that has a metric."""
        points = ((whole(row, "step"), number(row, key)) for row in self.metrics)
        return [(step, value) for step, value in points if step is not None and value is not None]


class WatchedRun:
    """A run folder that is read again and again.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = Files(path)
        self._state_stamp: Any = None
        self._state: dict[str, Any] = {}
        self._saved_at = 0.0

    def look(self) -> RunView:
        """Return the run as its files have it now."""
        settings = self._files.read("run.json", parse_json)
        metrics = self._files.read("metrics.jsonl", parse_lines)
        if not settings:
            return RunView(self.path.name, "", "damaged", "run.json cannot be read")
        state, holder = self._latest_state(), self._files.holder()
        status, said = self._status(state, holder)
        since = holder.since if holder is not None else 0.0
        progress = _progress(settings, state, status == "running", max(self._saved_at, since))
        sampled_at, samples = _last_samples(self._files.read("samples.jsonl", parse_lines))
        return RunView(
            self.path.name, _title(settings), status, said, metrics=metrics, best_step=whole(state, "best_step"),
            sampled_at=sampled_at, samples=samples, **progress,
        )  # fmt: skip

    def _latest_state(self) -> dict[str, Any]:
        """Return state.json of the newest checkpoint; {} if there is none."""
        folder = self.path / _CHECKPOINTS
        stamp = stamp_of(folder)
        if stamp == self._state_stamp:
            return self._state
        names = folders_in(folder)
        if not names:  # the run was removed, and perhaps made anew
            self._state, self._state_stamp, self._saved_at = {}, stamp, 0.0
        for name in reversed(names):
            file = f"{_CHECKPOINTS}/{name}/state.json"
            if state := parse_json(self._files.data(file)):  # else it was removed meanwhile, or is damaged
                saved = stamp_of(self.path / file)
                self._state, self._state_stamp = state, stamp
                self._saved_at = saved[2] / 1e9 if saved else 0.0
                break
        return self._state

    def _status(self, state: dict[str, Any], holder: Any) -> tuple[str, str]:
        """Return the status and its words."""
        if holder is not None and holder.alive:
            return "running", "running"
        if holder is not None and holder.alive is None:
            quiet_s = time.time() - max(self._files.changed(), self._saved_at, holder.since)
            if quiet_s < SILENT_S:
                return "running", f"running on {holder.host}"
            return "silent", f"no sign of life from {holder.host}"
        if reason := words(state, "ended"):
            return "ended", f"ended: {reason}"
        if holder is not None:
            return "killed", "killed; can be resumed" if state else "killed"
        return "stopped", "stopped; can be resumed" if state else "stopped"


def _progress(settings: dict[str, Any], state: dict[str, Any], runs: bool, since: float) -> dict[str, Any]:
    """Return the progress by the newest checkpoint and, while the run goes on, by the time that has passed.

    Args:
        settings: run.json.
        state: state.json of the newest checkpoint.
        runs: whether the run is being trained.
        since: when the checkpoint was written, or the run was resumed from it, seconds since the epoch.

    Returns:
        The attributes ``step`` to ``trained_s`` of ``RunView``.
    """
    step, trained_s = whole(state, "step"), number(state, "elapsed_s") or 0.0
    most, limit_s = max_steps(settings), number(part(settings, "train"), "time_s")
    speed = step / trained_s if step and trained_s > 0 else None
    passed_s = max(0.0, time.time() - since) if runs and since else 0.0
    estimated = False
    if runs and speed and step is not None:
        ahead = int(speed * passed_s)
        if most is not None:
            ahead = min(ahead, max(0, most - 1 - step))
        step, estimated = step + ahead, ahead > 0
    trained_s += passed_s
    shares = [step / most] if step is not None and most else []
    shares += [trained_s / limit_s] if limit_s else []
    left = [max(0, most - step) / speed] if runs and most and speed and step is not None else []
    left += [max(0.0, limit_s - trained_s)] if runs and limit_s else []
    share = max(0.0, min(1.0, max(shares))) if shares else None
    return {
        "step": step, "is_estimate": estimated, "max_steps": most, "share": share, "left_s": min(left, default=None),
        "steps_per_s": speed, "trained_s": trained_s,
    }  # fmt: skip


def max_steps(settings: dict[str, Any]) -> int | None:
    """Return the step at which a run ends at the latest, by its run.json; None if it ends by time alone."""
    train, corpus = part(settings, "train"), part(settings, "corpus")
    limits = [whole(train, "steps"), whole(part(settings, "refit"), "steps")]
    epochs, n, width = number(train, "epochs"), whole(part(corpus, "parts"), "train"), whole(train, "batch_size")
    if epochs and n and width:
        per_epoch = -(-n // width)
        if corpus.get("layout") == "stream":  # windows of lanes, of which there are fewer in a short text
            window = min(whole(train, "window") or 1, max(1, n // 2))
            per_epoch = max(1, (n - window) // min(width, max(1, (n - window) // window)) // window)
        limits.append(math.ceil(round(epochs * per_epoch, 6)))
    return min((limit for limit in limits if limit), default=None)


def _title(settings: dict[str, Any]) -> str:
    """Return "gru, 53,219 parameters, on names"."""
    cells = parts(settings, "cell") or [part(settings, "cell") or part(settings, "model")]
    names = ",".join(words(cell, "name").rpartition(":")[2] for cell in cells)
    n = whole(settings, "n_parameters")
    size = "" if n is None else f", {n:,} parameters"
    return f"{names}{size}, on {words(part(settings, 'corpus'), 'title')}"


def _last_samples(rows: list[dict[str, Any]]) -> tuple[int | None, list[str]]:
    """Return the step of the last samples, and some of them."""
    step = whole(rows[-1], "step") if rows else None
    return step, [words(row, "text") for row in rows if step is not None and row.get("step") == step][:_N_SAMPLES]
