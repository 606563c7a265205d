"""The runs of a bench on workers, each run a task."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import seqgen
from seqgen import measure
from seqgen_bench.results import EMPTY, BenchResult, RunScore, run_name
from seqgen_bench.runs import Runner, failure
from seqgen_bench.selection import FAILURES, choose, plan_all

_FILE = "seqgen:file"  # the corpus of files


@dataclass(frozen=True)
class Workers:
    """The executor of the runs of a bench.

    Attributes:
        number: runs that are trained at once.
        on: the executor.
        options: of the executor.
        planned: what the plans of all runs follow from: corpus, chosen cells and settings.
    """

    number: int
    on: str
    options: Mapping[str, Any]
    planned: Mapping[str, Any]

    @property
    def are_here(self) -> bool:
        """True if all runs are trained in this process."""
        return (self.number, self.on, dict(self.options)) == (1, "local", {})

    def run(self, runner: Runner, order: Sequence[tuple[str, int]]) -> None:
        """Train and measure runs; the results are those of one process, but for the times."""
        result = runner.result
        for name, seed in order:
            if runner.is_known(name, seed):
                runner.add(result.earlier[name, seed])
        failed: dict[str, int] = {}
        tasks, plugins = self._tasks(runner, order), runner.plugins
        with contextlib.closing(
            seqgen.run_tasks(tasks, workers=self.number, on=self.on, options=self.options, plugins=plugins)
        ) as results:
            for found in results:
                self._record(runner, order, failed, found)

    def _record(
        self, runner: Runner, order: Sequence[tuple[str, int]], failed: dict[str, int], found: seqgen.TaskResult
    ) -> None:
        """Record a result; a cell that fails has no scores of later seeds, as in one process."""
        name, seed, result = found.task.arguments["name"], found.task.arguments["seed"], runner.result
        if isinstance(found.error, seqgen.DiskError | seqgen.UsageError):
            raise found.error
        problem = found.value["problem"] if found.error is None else f"seed {seed}: {found.error}"
        if problem and seed < failed.get(name, seed + 1):
            failed[name] = seed
            result.runs[:] = [run for run in result.runs if run.cell != name or run.seed < seed]
            runner.fail(name, seed, problem)
        elif not problem and seed < failed.get(name, seed + 1):
            runner.add(RunScore(**found.value["score"]))
            result.runs.sort(key=lambda run: order.index((run.cell, run.seed)))
            result.save(runner.folder)

    def _tasks(self, runner: Runner, order: Sequence[tuple[str, int]]) -> Iterator[seqgen.Task]:
        shared = json.loads(json.dumps(dict(self.planned), default=str))
        for plan in runner.plans.values():  # all of one corpus
            if plan.settings.corpus.name == _FILE:
                # Not as it was named: a worker may have another current folder and another standard input.
                shared["corpus"] = plan.settings.corpus.options["path"]
            parts = {part: getattr(plan.settings.corpus, part) for part in ("valid", "test")}
            shared["given"] |= {part: path for part, path in parts.items() if path is not None}
        for name, seed in order:
            if name in runner.result.problems or runner.is_known(name, seed):
                continue
            earlier = runner.result.earlier.get((name, seed))
            arguments = {
                "planned": shared,
                "folder": str(runner.folder.path.resolve()),
                "part": runner.result.part,
                "name": name,
                "seed": seed,
                "earlier": None if earlier is None else dataclasses.asdict(earlier),
            }
            yield seqgen.Task("seqgen_bench.workers:score_run", arguments, run_name(name, seed))


@functools.lru_cache(maxsize=1)
def _plans(planned: str, part: Any) -> dict[str, seqgen.TrainingPlan]:
    values, plugins = json.loads(planned), seqgen.choose_plugins()
    chosen = choose(values["chosen"], plugins)
    candidates = plan_all(chosen, values["corpus"], values["given"], plugins, part=part, warn=_ignore)
    return {candidate.name: candidate.plan for candidate in candidates if candidate.plan is not None}


def _ignore(line: str) -> None:
    """Ignore a warning, which the process of the command has shown."""


def score_run(
    *, planned: Mapping[str, Any], folder: str, part: Any, name: str, seed: int, earlier: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Train and measure a run in a worker; return its score, or the problem of its cell."""
    plans = _plans(json.dumps(planned), part)
    work, plugins = seqgen.WorkFolder.open(folder, EMPTY), seqgen.choose_plugins()
    known = {} if earlier is None else {(name, seed): RunScore(**earlier)}
    result = BenchResult(work.path, "", part, {}, [name], known)
    runner = Runner(work, result, plans, plugins, _ignore, lambda *_: None)
    run = work.run(run_name(name, seed), plugins)
    if run is not None and measure.training_state(run).ended:
        runner.finished.add(run_name(name, seed))
    try:
        return {"score": dataclasses.asdict(runner.score(name, seed)), "problem": ""}
    except FAILURES as error:
        return {"score": None, "problem": failure(seed, error)}
