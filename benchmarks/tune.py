"""``seqgen tune``: what it costs beside the runs alone, and what a search of half an hour gains on the shipped names.

    python benchmarks/tune.py [--only overhead,search] [--rounds N] [--steps N] [--work DIR] [--time 30m]
        [--workers N] [--seeds N]

overhead: a study of ten trials without pruning, and the same ten runs by ``seqgen.train`` one after another, each in a
fresh process, imports and all; the ratio of their wall times is taken in each round, which alternate in order.

search: a study on ``names`` as ``SPACE`` says. No trial begins after the time. Then the default recipe and the best
trial's settings are each trained with several seeds, none of which was searched with; the difference is paired by seed.
The test part is evaluated only here. With --work, the study and the runs are kept in a folder, and a second call goes
on.

Sections are stored in benchmarks/results/tune.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from seqgen_tune.dimension import as_keywords
from seqgen_tune.runner import tune

import seqgen
from report import RESULTS, Section, mean_text, store, table
from seqgen import measure
from timing import Setting

TRIALS = 10
HEADING = "# Tuning settings\n\nWritten by `python benchmarks/tune.py`, which says how.\n"
SPACE = ("lr=1e-3..6e-3:log", "hidden=256..640:log", "dropout=0.1..0.6", "recurrent_dropout=0..0.4", "cell=gru|lstm")
_GOAL = 1.05


def study(folder: Path, steps: int) -> list[dict[str, Any]]:
    """Train a study of ten trials; return their values, which are sampled at random and so known beforehand."""
    result = tune("names", SPACE[:3], trials=TRIALS, pruner="none", steps=steps, patience=0, out=folder)
    return [one.values for one in result.trials]


def runs(folder: Path, steps: int) -> None:
    """Train the runs of a study by themselves."""
    for number, values in enumerate(json.loads((folder.parent / "values.json").read_text(encoding="utf-8"))):
        settings = as_keywords(values, {"steps": steps, "patience": 0, "options": {"train.samples": 0}})
        seqgen.train("names", out=folder / f"run-{number}", **settings)


PARTS: dict[str, Callable[[Path, int], object]] = {"study": study, "runs": runs}


def overhead(rounds: int, steps: int) -> Section:
    """Measure a study against its runs."""
    found: dict[str, list[float]] = {name: [] for name in PARTS}
    computed: dict[str, list[float]] = {name: [] for name in PARTS}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "values.json").write_text(json.dumps(study(work / "first", 1)), encoding="utf-8")
        for number in range(rounds):
            for name in PARTS if number % 2 == 0 else reversed(PARTS):
                started, before_s = time.perf_counter(), _children_s()
                command = [sys.executable, __file__, "--part", name, str(work / f"{name}-{number}"), str(steps)]
                subprocess.run(command, check=True)
                found[name].append(time.perf_counter() - started)
                computed[name].append(_children_s() - before_s)
                print(f"round {number}: {name} {found[name][-1]:.1f} s", flush=True)
    shown = table(
        ["what", "study", "runs alone", "x", "goal", "met"],
        [_compared("wall time", found), _compared("processor time", computed)],
    )
    caption = f"""{TRIALS} trials of {steps:,} steps on `names` against the same runs by `seqgen.train`, each side in a
        fresh process. The study reads the corpus once, so it may be the faster one."""
    return Section("overhead", "what a study costs", caption, [shown])


def _children_s() -> float:
    """Return the processor time of the processes that have ended, which other programs disturb less."""
    used = os.times()
    return used.children_user + used.children_system


def _compared(what: str, found: dict[str, list[float]]) -> list[str]:
    """Return a row with the medians, and the ratios of the rounds."""
    ratios = [one / other for one, other in zip(found["study"], found["runs"], strict=True)]
    ratio, medians = statistics.median(ratios), [f"{statistics.median(found[name]):.1f} s" for name in PARTS]
    spread = f"{ratio:.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
    return [what, *medians, spread, f"<= {_GOAL}", "yes" if ratio <= _GOAL else "no"]


def search(work: Path, limit: str, n_seeds: int, workers: int) -> Section:
    """Search on names, and compare the best settings with the default recipe on fresh seeds."""
    work.mkdir(parents=True, exist_ok=True)
    spent = work / "spent_s.txt"  # over all calls
    before_s, started = float(spent.read_text()) if spent.exists() else 0.0, time.monotonic()
    left_s = seqgen.commands.parse_duration(limit) - before_s

    def on_trial(so_far: Any, trial: Any) -> None:
        spent.write_text(str(before_s + time.monotonic() - started), encoding="utf-8")
        print(seqgen.commands.counted(len(so_far.trials), "trial"), trial.values, trial.bits_per_char, flush=True)

    result = tune(
        "names", SPACE, trials=10_000, time=max(left_s, 1e-3), out=work / "study", on_trial=on_trial, workers=workers
    )
    best = result.ranked[0]
    default = _trained({}, work / "default", n_seeds)
    found = _trained(as_keywords(best.values, {}), work / f"best-{best.number}", n_seeds)
    rows = [_row("default recipe", default), _row("best trial", found), _difference(default, found)]
    values = ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in best.values.items())
    importance = ", ".join(f"{name} {share:.0%}" for name, share in result.importance.items())
    return Section(
        "search",
        f"{limit} on names",
        f"the search space: `{shlex.join(SPACE)}`; seeds 1 to {n_seeds}, which were not searched with.",
        [
            table(["settings", "validation bits/char", "test bits/char", "parameters", "seconds"], rows),
            f"{result.counts}. The best trial ({best.bits_per_char:.3f}): {values}. Importance: {importance}.",
        ],
    )


_PARTS = ("valid", "test")


class _Trained(NamedTuple):
    """The runs of a recipe, one a seed.

    Attributes:
        runs: the runs.
        bits: bits per character of each run, for each of ``_PARTS``.
    """

    runs: list[seqgen.Run]
    bits: list[list[float]]


def _trained(settings: dict[str, Any], folder: Path, n_seeds: int) -> _Trained:
    """Train a recipe with several seeds, unless a call before has."""
    runs = []
    for seed in range(1, n_seeds + 1):
        path = folder / f"seed-{seed}"
        if not path.exists():
            runs.append(seqgen.train("names", seed=seed, out=path, **settings))
        elif measure.training_state(seqgen.load(path)).ended:
            runs.append(seqgen.load(path))
        else:
            runs.append(seqgen.resume(path))
    losses = [[measure.held_out_loss(run, part) for run in runs] for part in _PARTS]
    return _Trained(runs, [[loss.bits_per_char for loss in part if loss is not None] for part in losses])


def _row(name: str, found: _Trained) -> list[str]:
    """Return the row of a recipe."""
    seconds = statistics.mean(measure.training_state(run).elapsed_s for run in found.runs)
    return [name, *map(mean_text, found.bits), f"{found.runs[0].settings.n_parameters:,}", f"{seconds:.0f}"]


def _difference(default: _Trained, found: _Trained) -> list[str]:
    """Return the row with the differences of two recipes, paired by seed."""
    pairs = zip(default.bits, found.bits, strict=True)
    return ["difference", *(mean_text([b - a for a, b in zip(*pair, strict=True)], "+.3f") for pair in pairs), "", ""]


def main() -> None:
    """Measure what is asked for, print it and store it."""
    if sys.argv[1:2] == ["--part"]:
        PARTS[sys.argv[2]](Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="overhead,search", help="sections, with commas between")
    parser.add_argument("--rounds", type=int, default=3, help="of overhead")
    parser.add_argument("--steps", type=int, default=1000, help="of each run of overhead")
    parser.add_argument("--work", type=Path, help="folder in which the search is kept")
    parser.add_argument("--time", default="30m", help="of the search")
    parser.add_argument("--workers", type=int, default=1, help="of the search")
    parser.add_argument("--seeds", type=int, default=5, help="of each recipe after the search")
    parser.add_argument("--to", type=Path, default=RESULTS / "tune.md", help="the page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sections = {
            "overhead": (lambda: overhead(given.rounds, given.steps), given.rounds),
            "search": (lambda: search(given.work or Path(folder), given.time, given.seeds, given.workers), given.seeds),
        }
        for name in given.only.split(","):
            measured, rounds = sections[name]
            text = measured().text(Setting(rounds, False))
            print(text)
            store(given.to, HEADING, {name: text}, list(sections))


if __name__ == "__main__":
    main()
