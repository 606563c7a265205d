"""The runs of a bench: each trained and measured, or found finished."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import seqgen
from seqgen import measure
from seqgen_bench.results import BenchResult, RunScore, run_name
from seqgen_bench.selection import FAILURES
from seqgen_bench.throughput import TrainSpeed, samples_per_s

OnRun = Callable[[BenchResult, str, int, RunScore | None], None]
"""Callback of each run that ended: the results so far, cell, seed, and its score; None for a run that failed."""


@dataclass
class Runner:
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
            UsageError: a run in the folder has other settings, or another version or code of its plugin.
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
            score = self.score(name, seed)
        except FAILURES as error:
            self.fail(name, seed, failure(seed, error))
            return
        self.add(score)

    def add(self, score: RunScore) -> None:
        """Record the score of a run."""
        self.result.runs.append(score)
        self.result.save(self.folder)
        self.on_run(self.result, score.cell, score.seed, score)

    def is_known(self, name: str, seed: int) -> bool:
        """Return whether a run is finished and its score is known."""
        known = self.result.earlier.get((name, seed))
        return run_name(name, seed) in self.finished and known is not None and known.part == self.result.part

    def score(self, name: str, seed: int) -> RunScore:
        """Train and measure a run.

        Raises:
            SeqgenError: a run cannot be trained or measured; or any exception of a plugin's code.
        """
        plan, part, known = self.plans[name], self.result.part, self.result.earlier.get((name, seed))
        if known is not None and self.is_known(name, seed):
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


def failure(seed: int, error: BaseException) -> str:
    """Return why a cell is left out."""
    reason = seqgen.failure_reason(error)
    return f"seed {seed}: {reason}" if seed else reason
