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

from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.api.entrants import FAILURES, Entrant, reason
from seqgen.api.run import Run
from seqgen.api.scores import RESULTS, BenchResult, RunScore, read_scores
from seqgen.api.speed import TrainSpeed, samples_per_s, whole_tokens_per_s
from seqgen.api.train import TrainingPlan
from seqgen.checkpoint import RUNS, RunFolder
from seqgen.compute import computing
from seqgen.errors import BadOption, CorpusError, Diverged, Interrupted
from seqgen.files import FolderLock, SafePath, dump_json, remove_folders, remove_temporaries, write_atomic
from seqgen.plugins import Plugins
from seqgen.signals import Signalled

OnRun = Callable[[BenchResult, str, int, RunScore | None], None]
"""Is told of each run that ended: the result so far, cell, seed, and what was measured; None for one that failed."""


def hold(
    entrants: Sequence[Entrant],
    plugins: Plugins,
    asked: Mapping[str, Any],
    part: str,
    n_seeds: int,
    out: str | Path | None,
    warn: Callable[[str], None],
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
        warn: called with one line for each warning.
        on_run: who is told of runs.
    """
    problems = {entrant.name: entrant.problem for entrant in entrants if entrant.problem}
    planned: dict[str, TrainingPlan] = {}
    for entrant in entrants:
        if entrant.plan is not None:
            try:
                _check_size(entrant, entrant.plan, warn)
            except FAILURES as error:
                problems[entrant.name] = reason(error)
            else:
                planned[entrant.name] = entrant.plan
    title = next(entrant.plan.resolved.title for entrant in entrants if entrant.plan is not None)
    folder = _make_folder(out, title)
    lock = FolderLock(folder)
    try:
        names = [entrant.name for entrant in entrants]
        result = BenchResult(folder, title, part, dict(asked), names, read_scores(folder))
        contest = _Contest(result, planned, plugins, warn, on_run)
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


def _check_size(entrant: Entrant, plan: TrainingPlan, warn: Callable[[str], None]) -> None:
    """Warn of a model whose size the number of parameters cannot set.

    Raises:
        BadOption: the number was given, not the default.
    """
    if entrant.ignored_params is not None:
        problem = entrant.size_problem(plan.n_parameters)
        if problem and entrant.must_follow:
            raise BadOption(f"{problem}; set these (-o model.NAME=VALUE) in a bench without --params")
        if problem:
            warn(f"{entrant.name}: {problem}")


def check_part(data: EncodedCorpus, title: str, *, part: str) -> None:
    """Refuse a corpus that has no record in the part by which cells are compared.

    Raises:
        CorpusError: it has none.
    """
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
        warn: called with one line for each warning.
        on_run: who is told of runs.
        finished: runs that it trained to their end.
    """

    result: BenchResult
    planned: Mapping[str, TrainingPlan]
    plugins: Plugins
    warn: Callable[[str], None]
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
                planned.with_seed(seed).check_run(Run(folder, folder.settings(), self.plugins))
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
            speed = TrainSpeed()
            run = planned.with_seed(seed).train(
                folder.path, listener=speed, warn=lambda line: self.warn(f"{name}: {line}"), root=folder.root
            )
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


def _bits_per_char(run: Run, data: EncodedCorpus, part: str) -> float:
    """Of all records of a part, with the best checkpoint."""
    from seqgen.evaluation import held_out_loss, penalty

    with computing(run.settings.engine.threads):
        penalty_V = penalty(run.vocabulary, run.model)
        bits = held_out_loss(run.model, data.encoded[part], penalty_V, most=10**9).bits_per_char
    if not math.isfinite(bits):
        raise Diverged(f"its {part} part costs {bits} bits per character")
    return bits
