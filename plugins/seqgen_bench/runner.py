"""A bench: cells at as many parameters, each trained for as long, with its own recommended settings."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import seqgen
from seqgen import commands, measure
from seqgen_bench.render import outlook
from seqgen_bench.results import EMPTY, BenchResult, RunScore, read_scores, run_name
from seqgen_bench.selection import FAILURES, Candidate, choose, plan_all
from seqgen_bench.throughput import TrainSpeed, samples_per_s

_PARAMETERS, _TIME_S = 50_000, 60.0  # defaults
_PLAIN = {"train.samples": 0, "train.patience": 0}  # no samples meanwhile and no early stopping, unless asked for

OnRun = Callable[[BenchResult, str, int, RunScore | None], None]
"""Callback of each run that ended: the results so far, cell, seed, and its score; None for a run that failed."""


def _ignore(*_: Any) -> None:
    """Ignore a message."""


def bench(
    corpus: str | Path,
    cells: str | Sequence[str] = "all",
    *,
    params: int | str | None = None,
    hidden: int | None = None,
    seeds: int = 3,
    time: str | float | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    part: Literal["valid", "test"] = "valid",
    options: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    plugins: Any = None,
    on_run: OnRun = _ignore,
    warn: Callable[[str], None] = _ignore,
    progress: Any = None,
    log: Callable[[str], None] = _ignore,
    **settings: Any,
) -> BenchResult:
    """Train several cells on a corpus; compare their losses on its held-out part, and their speed.

    Seed 0 of all comes first, then seed 1 of all, and so on, so that a machine that slows down slows all alike. A cell
    that fails is reported with its reason; the others go on.

    Args:
        corpus: a registered name, or a text file with a record a line.
        cells: names of cells, "all" for every registered one, and of models that are not made of cells.
        params: the most parameters of each, 50,000 by default; the width follows.
        hidden: units of a layer, instead.
        seeds: runs of each; their seeds are 0, 1, ...
        time: of each run, seconds or like "60s"; 60 s if no end is given.
        steps: optimizer steps of each run.
        epochs: passes over the training part.
        part: the held-out part that is evaluated.
        options: any option by ``"part.name"``; one that only some cells have is given to these.
        out: the folder; None: the next ``runs/bench-<corpus>-001``. In one that exists, runs that are finished with the
            same settings are not trained again.
        plugins: as ``seqgen.train`` takes them.
        on_run: called after each run.
        warn: called with one line for each warning.
        progress: called while the corpus is read, as in ``seqgen.plan``.
        log: called with one line that sums up the work to do.
        settings: further keywords of ``seqgen.train``; None: not given.

    Raises:
        UsageError: settings that none of the cells can have, or the folder has runs with other settings.
        CorpusError: the corpus is unreadable or empty, or its held-out part is.
        Interrupted: a signal came; the scores so far are in the folder.
        DiskError: the disk refused.
    """
    if not isinstance(seeds, int) or seeds < 1:
        raise seqgen.BadOption(f"--seeds must be a whole number, at least 1, not {seeds!r}")
    if part not in ("valid", "test"):
        raise seqgen.BadOption(f"--part is valid or test, not {part!r}")
    if params is not None and hidden is not None:
        raise seqgen.BadOption("give --params or --hidden, not both")
    time_s = None if time is None else commands.parse_duration(time)
    if time is steps is epochs is None:
        time_s = _TIME_S
    budget = None if hidden is not None else commands.parse_count(_PARAMETERS if params is None else params)
    given = {"steps": steps, "epochs": epochs, "time": time_s, "hidden": hidden, **settings}
    given = {name: value for name, value in given.items() if value is not None}
    given |= {"options": {**_PLAIN, **(options or {})}, "params": budget}
    plugins = seqgen.choose_plugins(plugins)
    chosen = choose(cells, plugins)
    log(outlook(len(chosen) * seeds, time_s, out))
    candidates = plan_all(
        chosen, corpus, given, plugins, part=part, warn=warn, progress=progress, must_follow=params is not None
    )
    named = ("steps", "epochs", "time_s", "lr", "batch_size", "split", "hidden", "layers", "embedding", "dropout")
    values = {**given, "time_s": time_s}
    asked = {"parameters": budget, "seeds": seeds, "samples": 0, "patience": 0}
    asked |= {name: values[name] for name in named if values.get(name) is not None}
    titles = [candidate.plan.resolved.title for candidate in candidates if candidate.plan is not None]
    title = titles[0] if titles else Path(corpus).stem  # none of them can be trained
    return _run_all(candidates, plugins, title, asked, part, seeds, out, warn, on_run)


def _run_all(
    candidates: Sequence[Candidate],
    plugins: Any,
    title: str,
    asked: dict[str, Any],
    part: Literal["valid", "test"],
    n_seeds: int,
    out: str | Path | None,
    warn: Callable[[str], None],
    on_run: OnRun,
) -> BenchResult:
    """Train and measure all runs, one after another."""
    problems = {candidate.name: candidate.problem for candidate in candidates if candidate.problem}
    plans: dict[str, seqgen.TrainingPlan] = {}
    for candidate in candidates:
        if candidate.plan is not None:
            try:
                candidate.check_size(warn)
            except FAILURES as error:
                problems[candidate.name] = seqgen.failure_reason(error)
            else:
                plans[candidate.name] = candidate.plan
    folder = seqgen.WorkFolder.create(f"bench-{title[:60]}", EMPTY) if out is None else _open(Path(out))
    with folder.locked():
        result = BenchResult(folder.path, title, part, asked, [one.name for one in candidates], read_scores(folder))
        runner = _Runner(folder, result, plans, plugins, warn, on_run)
        try:
            runner.find_finished(n_seeds)
            result.counts = measure.count_bits_per_char(next(iter(plans.values())).data, part) if plans else {}
            for name, problem in problems.items():
                runner.fail(name, 0, problem)
            for seed in range(n_seeds):
                for name in plans:
                    runner.run(name, seed)
        except (seqgen.Interrupted, KeyboardInterrupt) as error:
            again = f"the same command with --out {shlex.quote(str(folder.path))} continues"
            line = f"stopped; the scores so far are in {folder.path}; {again}"
            number = error.exit_code - 128 if isinstance(error, seqgen.Interrupted) else getattr(error, "number", 2)
            raise seqgen.Interrupted(number, line) from None
    return result


def _open(path: Path) -> seqgen.WorkFolder:
    try:
        return seqgen.WorkFolder.open(path, EMPTY)
    except seqgen.BadOption:
        raise seqgen.BadOption(f"--out {str(path)!r} is not the folder of a bench; name a new one") from None


@dataclass
class _Runner:
    """The runs of a bench.

    Attributes:
        folder: where they are.
        result: the results so far.
        plans: of those that have not failed, by name.
        plugins: the plugins of their parts.
        warn: called with one line for each warning.
        on_run: called after each run.
        finished: names of the runs that were finished before.
    """

    folder: seqgen.WorkFolder
    result: BenchResult
    plans: Mapping[str, seqgen.TrainingPlan]
    plugins: Any
    warn: Callable[[str], None]
    on_run: OnRun
    finished: set[str] = field(default_factory=set)

    def find_finished(self, n_seeds: int) -> None:
        """Find the runs that are finished already.

        Raises:
            UsageError: a run in the folder has other settings, or another version of its plugin.
        """
        for name, plan in self.plans.items():
            for seed in range(n_seeds):
                run = self.folder.run(run_name(name, seed), self.plugins)
                if run is not None:
                    plan.with_seed(seed).check_run(run)
                    if measure.training_state(run).ended:
                        self.finished.add(run_name(name, seed))

    def fail(self, name: str, seed: int, problem: str) -> None:
        """Record that a cell has failed."""
        self.result.problems[name] = problem
        self.result.save(self.folder)
        self.on_run(self.result, name, seed, None)

    def run(self, name: str, seed: int) -> None:
        """Train and measure a run, unless it is finished or its cell has failed."""
        if name in self.result.problems:
            return
        try:
            score = self._score(name, seed)
        except FAILURES as error:
            reason = seqgen.failure_reason(error)
            self.fail(name, seed, f"seed {seed}: {reason}" if seed else reason)
            return
        self.result.runs.append(score)
        self.result.save(self.folder)
        self.on_run(self.result, name, seed, score)

    def _score(self, name: str, seed: int) -> RunScore:
        plan, part, known = self.plans[name], self.result.part, self.result.earlier.get((name, seed))
        if run_name(name, seed) in self.finished and known is not None and known.part == part:
            return known
        run, tokens_per_s = self._trained(name, seed, plan, known)
        held_out, state = measure.held_out_loss(run, part, plan.data), measure.training_state(run)
        assert held_out is not None
        if not math.isfinite(held_out.bits_per_char):
            raise seqgen.Diverged(f"its {part} part has {held_out.bits_per_char} bits per character")
        return RunScore(
            cell=name,
            seed=seed,
            run=run.path.name,
            part=part,
            parameters=run.settings.n_parameters,
            width=run.settings.model.options.get("hidden"),
            steps=state.step,
            trained_s=state.elapsed_s,
            bits_per_char=held_out.bits_per_char,
            tokens_per_s=tokens_per_s or measure.tokens_per_s(run, plan.data),
            samples_per_s=samples_per_s(run),
            lr=None if hasattr(run.model, "learn") else run.settings.train.lr,
        )

    def _trained(
        self, name: str, seed: int, plan: seqgen.TrainingPlan, known: RunScore | None
    ) -> tuple[seqgen.Run, float | None]:
        """Return a run, trained if it is not finished, and its tokens per second where they are known."""
        run = self.folder.run(own := run_name(name, seed), self.plugins)
        if run is not None and own in self.finished:
            return run, None if known is None else known.tokens_per_s
        if run is not None:  # it was stopped
            self.folder.remove(own)
        speed, out = TrainSpeed(), self.folder.path / own
        warn = lambda line: self.warn(f"{name}: {line}")  # noqa: E731
        run = plan.with_seed(seed).train(out, listener=speed, warn=warn, root=self.folder.path)
        return run, speed.tokens_per_s()
