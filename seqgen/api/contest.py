"""A bench being held: round after round, each run trained and measured, each failure kept to its own row."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqgen.api.begin import Hearers, begin, count_planned, plan, read
from seqgen.api.data import Data
from seqgen.api.entrants import FAILURES, Entrant, of_seed, reason
from seqgen.api.environment import computing
from seqgen.api.factories import changed_plugins
from seqgen.api.recipe import Recipe
from seqgen.api.run import RUNS, Run
from seqgen.api.scores import RESULTS, BenchResult, RunScore, read_scores
from seqgen.api.settings_diff import check_same
from seqgen.api.speed import TrainSpeed, samples_per_s, whole_tokens_per_s
from seqgen.checkpoint import RunFolder, RunSettings
from seqgen.errors import BadOption, CorpusError, Diverged, Interrupted, UsageError
from seqgen.files import FolderLock, SafePath, dump_json, remove_folders, remove_temporaries, write_atomic
from seqgen.plugins import Plugins
from seqgen.signals import Signalled

OnRun = Callable[[BenchResult, str, int, RunScore | None], None]
"""Is told of each run that ended: the result so far, cell, seed, and what was measured; None for one that failed."""


@dataclass(frozen=True)
class Planned:
    """A training whose every setting is known but the seed.

    Attributes:
        recipe: how it is done.
        settings: what its run.json will hold.
        data: its corpus, encoded.
    """

    recipe: Recipe
    settings: RunSettings
    data: Data


def hold(
    entrants: Sequence[Entrant],
    plugins: Plugins,
    asked: Mapping[str, Any],
    part: str,
    n_seeds: int,
    out: str | Path | None,
    hear: Hearers,
    on_run: OnRun,
) -> BenchResult:
    """Plan all runs, then train and measure them one after another; what is raised says ``seqgen.api.bench.bench``.

    Args:
        entrants: who takes part; at least one can be trained.
        plugins: where parts come from.
        asked: what all were given, for the result.
        part: the held-out part that is judged.
        n_seeds: runs of each.
        out: the folder, or None.
        hear: who is told of reading, and warned.
        on_run: who is told of runs.
    """
    problems = {entrant.name: entrant.problem for entrant in entrants if entrant.problem}
    planned: dict[str, Planned] = {}
    read_already: dict[str, Data] = {}
    for entrant in entrants:
        if entrant.recipe is not None:
            data = _read_once(entrant.recipe, read_already, hear)
            _check_part(data, part, entrant.recipe.title)
            try:
                planned[entrant.name] = _plan(entrant, entrant.recipe, plugins, data, hear)
            except FAILURES as error:
                problems[entrant.name] = reason(error)
    title = next(entrant.recipe.title for entrant in entrants if entrant.recipe is not None)
    folder = _make_folder(out, title)
    lock = FolderLock(folder)
    try:
        names = [entrant.name for entrant in entrants]
        result = BenchResult(folder, title, part, dict(asked), names, read_scores(folder))
        contest = _Contest(result, planned, plugins, hear, on_run)
        contest.check_folder(n_seeds)
        for name, problem in problems.items():
            contest.fail(name, 0, problem)
        for seed in range(n_seeds):
            for name in planned:
                contest.run(name, seed)
    except (Interrupted, Signalled) as error:
        number = error.number if isinstance(error, Signalled) else error.exit_code - 128
        line = (
            f"stopped; what was measured is in {folder}; the same command with --out {shlex.quote(str(folder))} goes on"
        )
        raise Interrupted(number, line) from None
    finally:
        lock.release()
    return result


def _plan(entrant: Entrant, recipe: Recipe, plugins: Plugins, data: Data, hear: Hearers) -> Planned:
    """Settle all but the seed of a training run.

    Raises:
        BadOption: it cannot have as many parameters as were asked for.
    """
    settings = plan(recipe, plugins, data)
    if entrant.ignored_params is not None:
        problem = entrant.size_problem(count_planned(plugins, settings))
        if problem and entrant.must_follow:
            raise BadOption(f"{problem}; set these (-o model.NAME=VALUE) in a bench without --params")
        if problem:
            hear.warn(f"{entrant.name}: {problem}")
    return Planned(recipe, settings, data)


def _read_once(recipe: Recipe, read_already: dict[str, Data], hear: Hearers) -> Data:
    """The encoded corpus, which is the same for all unless a cell recommends other options of how it is read."""
    options = {name: recipe.options[name] for name in ("corpus", "tokenizer")}
    key = repr((options, recipe.tokenizer.qualified, recipe.train.split, recipe.train.split_seed))
    if key not in read_already:
        read_already[key] = read(recipe, hear)
    return read_already[key]


def _check_part(data: Data, part: str, title: str) -> None:
    if not len(data.encoded[part]):
        name = {"valid": "validation", "test": "test"}[part]
        raise CorpusError(f"corpus {title!r} has no record in its {name} part to judge by; try --split 80/10/10")


def _make_folder(out: str | Path | None, title: str) -> Path:
    """The folder of a bench, there already or made."""
    if out is None:
        stem = re.sub(r"[^\w.-]+", "-", f"bench-{title[:60]}")
        return RunFolder.create_numbered(RUNS, stem, {RESULTS: dump_json({"runs": []})}).path
    folder = Path(out)
    if os.path.lexists(folder / "run.json") or (folder.exists() and not folder.is_dir()):
        raise BadOption(f"--out {str(folder)!r} is not the folder of a bench; name a new one")
    if not folder.exists():
        write_atomic(SafePath(folder) / RESULTS, dump_json({"runs": []}), make_parents=True)
    remove_temporaries(SafePath(folder))
    return folder


@dataclass
class _Contest:
    """Runs of a bench, and what becomes of them.

    Attributes:
        result: what there is so far.
        planned: who has not failed, by name.
        plugins: where parts come from.
        hear: who is warned.
        on_run: who is told of runs.
        finished: runs that it trained to their end.
    """

    result: BenchResult
    planned: Mapping[str, Planned]
    plugins: Plugins
    hear: Hearers
    on_run: OnRun
    finished: set[Path] = field(default_factory=set)

    def folder(self, name: str, seed: int) -> RunFolder:
        """The run folder of a cell and seed; names hold no dot, so no two are alike."""
        return RunFolder(self.result.folder / f"{name.replace(':', '.')}-seed{seed}", self.result.folder)

    def check_folder(self, n_seeds: int) -> None:
        """Find the runs that are finished already.

        Raises:
            UsageError: a run that is there has other settings, or was made with another version of its plugin.
        """
        for name, planned in self.planned.items():
            for seed in range(n_seeds):
                folder = self.folder(name, seed)
                if not (folder.files / "run.json").exists():
                    continue
                found = folder.settings()
                check_same(of_seed(planned.recipe, planned.settings, seed)[1], found, folder.path)
                if changed := changed_plugins(self.plugins, found):
                    raise UsageError(f"{str(folder.path)!r}: {changed[0]}: remove it, or give another --out")
                if (folder.latest_state() or {}).get("ended"):
                    self.finished.add(folder.path)

    def fail(self, name: str, seed: int, problem: str) -> None:
        """A cell is out."""
        self.result.problems[name] = problem
        self.result.keep()
        self.on_run(self.result, name, seed, None)

    def run(self, name: str, seed: int) -> None:
        """Train and measure one run, unless that is done or its cell is out."""
        if name in self.result.problems:
            return
        try:
            score = self._score(name, seed)
        except FAILURES as error:
            self.fail(name, seed, f"seed {seed}: {reason(error)}" if seed else reason(error))
            return
        self.result.runs.append(score)
        self.result.keep()
        self.on_run(self.result, name, seed, score)

    def _score(self, name: str, seed: int) -> RunScore:
        folder, planned, known = self.folder(name, seed), self.planned[name], self.result.earlier.get((name, seed))
        if folder.path in self.finished:
            if known is not None and known.part == self.result.part:
                return known
            run, tokens_per_s = Run(folder, folder.settings(), self.plugins), known and known.tokens_per_s
        else:
            if (folder.files / "run.json").exists():  # it was stopped
                remove_folders(SafePath(self.result.folder), [folder.name])
            recipe, settings = of_seed(planned.recipe, planned.settings, seed)
            speed = TrainSpeed()
            hear = Hearers(speed, lambda line: self.hear.warn(f"{name}: {line}"))
            run = begin(recipe, settings, self.plugins, planned.data, folder, hear)
            tokens_per_s = speed.tokens_per_s()
        state = folder.latest_state() or {}
        whole = whole_tokens_per_s(run.settings, planned.data.encoded["train"], state["step"], state["elapsed_s"])
        return RunScore(
            cell=name,
            seed=seed,
            run=folder.name,
            part=self.result.part,
            parameters=run.settings.n_parameters,
            width=run.settings.model.options.get("hidden"),
            steps=state["step"],
            trained_s=state["elapsed_s"],
            bits_per_char=_bits_per_char(run, planned.data, self.result.part),
            tokens_per_s=tokens_per_s or whole,
            samples_per_s=samples_per_s(run),
            lr=None if hasattr(run.model, "learn") else run.settings.train.lr,
        )


def _bits_per_char(run: Run, data: Data, part: str) -> float:
    """Of all records of a part, with the best checkpoint."""
    from seqgen.evaluation import held_out_loss, penalty

    with computing(run.settings.engine.threads):
        penalty_V = penalty(run.vocabulary, run.model)
        bits = held_out_loss(run.model, data.encoded[part], penalty_V, most=10**9).bits_per_char
    if not math.isfinite(bits):
        raise Diverged(f"its {part} part costs {bits} bits per character")
    return bits
