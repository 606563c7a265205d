"""The folders of a bench and of a study as tables of their runs, which grow."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqgen_watch.files import Files, folders_in, is_file, number, parse_json, parse_lines, part, parts, whole, words
from seqgen_watch.run import RunView, WatchedRun

RESULTS, STUDY, _JOURNAL = "results.json", "study.json", "journal.log"
_CREATED, _STATE, _ATTRIBUTE = 4, 6, 8  # operations in the journal of optuna
_STATES = {0: "running", 1: "finished", 2: "pruned", 3: "failed", 4: "waiting"}


@dataclass(frozen=True)
class GroupView:
    """A bench or a study at a moment.

    Attributes:
        name: the name of its folder.
        title: what it is.
        runs: whether a process works on it.
        state: its state in words.
        rows: a row for each run or trial, by column.
        columns: the columns, in order.
        counts: bits per character that counting reaches; None: unknown.
    """

    name: str
    title: str
    runs: bool
    state: str
    rows: list[dict[str, Any]]
    columns: tuple[str, ...]
    counts: float | None = None


@dataclass
class WatchedGroup:
    """The folder of a bench or a study that is read again and again.

    Args:
        path: the folder.
        is_study: whether it holds a study.
    """

    path: Path
    is_study: bool

    def __post_init__(self) -> None:
        """Prepare the runs in it, which are found as they come."""
        self._files = Files(self.path)
        self._runs: dict[str, WatchedRun] = {}

    def look(self) -> GroupView:
        """Return the group as its files have it now."""
        views = self._views()
        return self._study(views) if self.is_study else self._bench(views)

    def _views(self) -> dict[str, RunView]:
        for name in folders_in(self.path):
            if name not in self._runs and is_file(self.path / name / "run.json"):
                self._runs[name] = WatchedRun(self.path / name)
        return {name: run.look() for name, run in self._runs.items() if is_file(self.path / name / "run.json")}

    def _is_held(self, names: list[str]) -> bool:
        """Return whether a living process, or one elsewhere, holds the folder or one of these in it."""
        holders = [self._files.holder(), *(Files(self.path / name).holder() for name in names)]
        return any(holder is not None and holder.may_run for holder in holders)

    def _bench(self, views: dict[str, RunView]) -> GroupView:
        found = self._files.read(RESULTS, parse_json)
        scored = {words(one, "run"): one for one in parts(found, "runs")}
        rows = [_bench_row(name, scored.get(name), views.get(name)) for name in scored.keys() | views.keys()]
        rows += [
            {"run": words(row, "cell"), "state": f"failed: {words(row, 'problem')}"}
            for row in parts(found, "rows")
            if words(row, "problem")
        ]
        rows.sort(key=_order)
        runs = self._is_held([]) or any(view.runs for view in views.values())
        n_seeds, cells = whole(part(found, "asked"), "seeds") or 0, {words(row, "cell") for row in parts(found, "rows")}
        # The folder may have runs of cells and seeds that an earlier bench asked for.
        n_scored = sum(words(one, "cell") in cells and (whole(one, "seed") or 0) < n_seeds for one in scored.values())
        measured = f"{n_scored} of {n_seeds * len(cells)}" if n_seeds and cells else f"{len(scored)}"
        counts = part(found, "counts")
        best = min((bits for name in counts if (bits := number(counts, name)) is not None), default=None)
        state = f"{'running' if runs else 'not running'}, {measured} runs measured"
        columns = ("run", "state", "step", "bits_per_char", "parameters", "left")
        title = f"bench on {words(found, 'corpus')}" if found.get("corpus") else "bench"
        return GroupView(self.path.name, title, runs, state, rows, columns, best)

    def _study(self, views: dict[str, RunView]) -> GroupView:
        definition = self._files.read(STUDY, parse_json)
        trials = self._files.read(_JOURNAL, _parse_journal)
        workers = [name for name in folders_in(self.path) if name.startswith("worker-")]
        runs = self._is_held(workers)
        again = [whole(trial.attributes, "again") for trial in trials]  # those that were cut short and begun anew
        rows = [
            _trial_row(number, trial, views.get(f"trial-{number:04d}"), runs)
            for number, trial in enumerate(trials)
            if trial.state != "waiting" and number not in again
        ]
        rows.sort(key=_order)
        ended = sum(row["state"] not in ("running", "stopped") for row in rows)
        n_trials = max(whole(definition, "trials") or 0, len(rows))  # a study may go on with more
        state = f"{'running' if runs else 'not running'}, {ended} of {n_trials} trials ended"
        columns = ("trial", "state", "step", "bits_per_char", "values", "left")
        return GroupView(self.path.name, f"study on {words(definition, 'title')}", runs, state, rows, columns)


def _bench_row(name: str, score: dict[str, Any] | None, view: RunView | None) -> dict[str, Any]:
    if score is not None:
        figures = {column: whole(score, column) for column in ("steps", "parameters")}
        bits = number(score, "bits_per_char")
        return {"run": name, "state": "measured", "step": figures.pop("steps"), "bits_per_char": bits, **figures}
    assert view is not None
    return {
        "run": name, "state": view.state, "step": view.step, "bits_per_char": view.best(), "left": view.left_s,
    }  # fmt: skip


def _trial_row(number_: int, trial: _Trial, view: RunView | None, runs: bool) -> dict[str, Any]:
    state = trial.state if runs or trial.state != "running" else "stopped"
    if trial.attributes.get("diverged"):
        state = "diverged"
    if (same := whole(trial.attributes, "same_as")) is not None:
        state = f"as trial {same}"
    going = view if trial.state == "running" else None
    steps = whole(trial.attributes, "steps")
    values = part(trial.attributes, "values")
    return {
        "trial": number_,
        "state": state,
        "step": going.step if going is not None else steps,
        "bits_per_char": going.best() if going is not None else trial.value,
        "values": " ".join(f"{name}={_short(value)}" for name, value in values.items()),
        "left": going.left_s if going is not None else None,
    }


@dataclass
class _Trial:
    """A trial of the journal."""

    state: str = "running"
    value: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


def _parse_journal(data: bytes) -> list[_Trial]:
    """Return the trials of a study by number; lines of other kinds are passed over."""
    trials: list[_Trial] = []
    for line in parse_lines(data):
        operation, at = whole(line, "op_code"), whole(line, "trial_id")
        if operation == _CREATED:
            state = _STATES.get(whole(line, "state") or 0, "running")
            trials.append(_Trial(state, attributes=part(line, "user_attrs")))
        elif at is not None and at < len(trials):
            if operation == _STATE:
                values = line.get("values")
                value = number({"value": values[0]}, "value") if isinstance(values, list) and values else None
                trials[at].state, trials[at].value = _STATES.get(whole(line, "state") or 0, "running"), value
            elif operation == _ATTRIBUTE:
                trials[at].attributes |= part(line, "user_attr")
    return trials


def _order(row: dict[str, Any]) -> tuple[bool, float, str]:
    """Order rows: those that run, then the best first, then those without a result."""
    bits = row.get("bits_per_char")
    return not str(row["state"]).startswith("running"), math.inf if bits is None else bits, str(row.get("run", ""))


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def kind_of(path: Path) -> Callable[[], WatchedRun | WatchedGroup] | None:
    """Return what opens a folder to be watched: a run, a bench or a study; None if it is none of these."""
    if is_file(path / "run.json"):
        return lambda: WatchedRun(path)
    if is_file(path / STUDY):
        return lambda: WatchedGroup(path, True)
    if is_file(path / RESULTS):
        return lambda: WatchedGroup(path, False)
    return None
