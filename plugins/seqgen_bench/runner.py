"""A bench: cells at as many parameters, each trained for as long, with its own recommended settings."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import seqgen
from seqgen import commands, measure
from seqgen_bench.render import outlook
from seqgen_bench.results import EMPTY, BenchResult, read_scores
from seqgen_bench.runs import OnRun, Runner
from seqgen_bench.selection import FAILURES, Candidate, choose, plan_all
from seqgen_bench.workers import Workers

_PARAMETERS, _TIME_S = 50_000, 60.0  # defaults
_PLAIN = {"train.samples": 0, "train.patience": 0}  # no samples meanwhile and no early stopping, unless asked for


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
    workers: int = 1,
    on: str = "local",
    executor: Mapping[str, Any] | None = None,
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
        workers: number of runs that are trained at once, each in a process of its own if it is more than one.
        on: the executor of the workers.
        executor: options of the executor.
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
    plugins.registry.get("executor", on, plugins.failed_hint).options(executor or {})
    chosen = choose(cells, plugins)
    log(outlook(len(chosen) * seeds, time_s, out))
    tasks = Workers(workers, on, dict(executor or {}), {"corpus": str(corpus), "chosen": list(chosen), "given": given})
    candidates = plan_all(
        chosen, corpus, given, plugins, part=part, warn=warn, progress=progress, must_follow=params is not None
    )
    named = ("steps", "epochs", "time_s", "lr", "batch_size", "split", "hidden", "layers", "embedding", "dropout")
    values = {**given, "time_s": time_s}
    asked: dict[str, Any] = {"parameters": budget, "seeds": seeds}
    plans = [candidate.plan for candidate in candidates if candidate.plan is not None]
    asked |= {name.removeprefix("train."): value for name, value in _PLAIN.items()}
    asked |= {name: getattr(plan.settings.train, name) for plan in plans[:1] for name in ("samples", "patience")}
    asked |= {name: values[name] for name in named if values.get(name) is not None}
    if options:
        asked["options"] = dict(options)
    title = plans[0].resolved.title if plans else Path(corpus).stem  # none of them can be trained
    return _run_all(candidates, plugins, title, asked, part, seeds, out, warn, on_run, tasks)


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
    tasks: Workers,
) -> BenchResult:
    """Train and measure all runs, one after another or on workers."""
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
    if not plans:
        for name, problem in problems.items() if len(problems) > 1 else ():
            warn(f"{name}: {problem}")
        first = next(iter(problems.values()))
        raise seqgen.UsageError(f"cannot train any of {commands.counted(len(problems), 'run')}: {first}")
    folder = seqgen.WorkFolder.create(f"bench-{title[:60]}", EMPTY) if out is None else _open(Path(out))
    with folder.locked():
        result = BenchResult(folder.path, title, part, asked, [one.name for one in candidates], read_scores(folder))
        runner = Runner(folder, result, plans, plugins, warn, on_run)
        try:
            runner.find_finished(n_seeds)
            result.counts = measure.count_bits_per_char(next(iter(plans.values())).data, part) if plans else {}
            if result.counts and not any(name.startswith("PPMd") for name in result.counts):
                warn(f"left out: {seqgen.MissingExtra('evaluate', 'the baseline PPMd')}")
            for name, problem in problems.items():
                runner.fail(name, 0, problem)
            order = [(name, seed) for seed in range(n_seeds) for name in plans]
            if tasks.are_here:
                for name, seed in order:
                    runner.run(name, seed)
            else:
                tasks.run(runner, order)
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
