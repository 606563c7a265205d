"""The results of a study so far: its trials, the best one, and the importance of each setting."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from rich.console import RenderableType

import seqgen
from seqgen import commands
from seqgen_tune.dimension import Dimension, as_keywords, as_number
from seqgen_tune.sampling import importance
from seqgen_tune.study import StudyFolder, left_out, run_name

_STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
_KILLED = "its process was killed each time"


@dataclass(frozen=True)
class TrialResult:
    """A trial.

    Attributes:
        number: its number, from 0.
        state: "finished", "pruned", "diverged", "failed" or "running".
        bits_per_char: held-out, at the best step; None of a trial that did not finish.
        values: the values of its settings.
        parameters: trainable parameters of a run that finished.
        steps: optimizer steps.
        trained_s: seconds of training and evaluation.
        problem: the reason of a failure, in one line.
        same_as: the number of the trial with the same values whose result it has; None: it was trained.
    """

    number: int
    state: str
    bits_per_char: float | None
    values: dict[str, Any]
    parameters: int | None = None
    steps: int | None = None
    trained_s: float | None = None
    problem: str = ""
    same_as: int | None = None


@dataclass(frozen=True)
class TuneResult(seqgen.Tabular):
    """The results of a study so far.

    Attributes:
        folder: its folder.
        corpus: the title of the corpus.
        space: the settings that are searched.
        trials: the trials by number; those that were cut short and tried again are left out.
        importance: the share of each setting in what makes trials good, the largest first; {}: too few trials.
        command: the command that trains the best trial's model anew; "" where none has finished.
    """

    folder: Path
    corpus: str
    space: tuple[Dimension, ...]
    trials: list[TrialResult]
    importance: dict[str, float] = field(default_factory=dict)
    command: str = ""

    @property
    def ranked(self) -> list[TrialResult]:
        """The trained trials that finished, the best first."""
        finished = [one for one in self.trials if one.state == "finished" and one.same_as is None]
        return sorted(finished, key=lambda one: (one.bits_per_char, one.number))

    @property
    def counts(self) -> str:
        """The number of trials in each state, in words; those that had a known result are counted apart."""
        trained = [one for one in self.trials if one.same_as is None]
        counts, reused = Counter(one.state for one in trained), len(self.trials) - len(trained)
        said = [f"{counts[state]:,} {state}" for state in ("finished", "pruned", "diverged", "failed", "running")]
        listed = [one for one in said if not one.startswith("0 ")] + [f"and {reused:,} known already"] * bool(reused)
        return f"{commands.counted(len(trained), 'trial')}: {', '.join(listed)}"

    def check(self) -> None:
        """Refuse a study of which no trial could be trained.

        Raises:
            UsageError: all that ended failed.
            Diverged: all diverged, or some failed and the others diverged.
        """
        ended = [one for one in self.trials if one.state != "running" and one.same_as is None]
        problems = [one for one in ended if one.state in ("failed", "diverged")]
        if problems and len(problems) == len(ended):
            line = f"cannot train any of {commands.counted(len(ended), 'trial')}: {problems[0].problem}"
            raise (seqgen.Diverged if any(one.state == "diverged" for one in ended) else seqgen.UsageError)(line)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each trial: number, state, bits_per_char and the values of the settings."""
        names = dict.fromkeys(name for one in self.trials for name in one.values)
        return [
            {"number": one.number, "state": one.state, "bits_per_char": one.bits_per_char}
            | {name: one.values.get(name) for name in names}
            for one in self.trials
        ]

    def view(self) -> RenderableType:
        """Return the tables that a terminal shows."""
        from seqgen_tune.render import tune_view

        return tune_view(self)

    def plot(self) -> seqgen.Picture:
        """Return a plot of the trials.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        from seqgen_tune.plot import tune_plot

        return seqgen.Picture(tune_plot(self, ".svg"))

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        best = self.ranked[0].number if self.ranked else None
        return {
            "folder": str(self.folder),
            "corpus": self.corpus,
            "space": list(map(str, self.space)),
            "best": best,
            "command": self.command,
            "importance": self.importance,
            "trials": [asdict(one) for one in self.trials],
        }


def so_far(study: StudyFolder) -> TuneResult:
    """Return the trials of a study so far."""
    found = study.trials()
    cut = left_out(found)
    shown = [_result(one) for one in found if one.number not in cut and one.state != TrialState.WAITING]
    return TuneResult(study.folder.path, study.definition.title, study.definition.space, shown)


def collect(study: StudyFolder, plugins: Any) -> TuneResult:
    """Return the results of a study so far."""
    result, definition = so_far(study), study.definition
    if not result.ranked:
        return result
    best = result.ranked[0]
    settings = {"corpus": definition.corpus, **as_keywords(best.values, definition.settings)}
    run = None
    with contextlib.suppress(seqgen.CheckpointError):  # a damaged run: only the files of its plugins are not named
        run = study.folder.run(run_name(best.number), plugins)
    command = commands.train_command(settings, run)
    return replace(result, importance=importance(study.study), command=command)


def _result(trial: FrozenTrial) -> TrialResult:
    facts = trial.user_attrs
    state = "diverged" if facts.get("diverged") else _STATES.get(trial.state, "running")
    problem = facts.get("problem", "")
    if state == "failed" and not problem:
        problem = f"{_KILLED} ({facts.get('tries', 1)})"
    value = trial.value if state == "finished" else None
    return TrialResult(
        number=trial.number,
        state=state,
        bits_per_char=value if value is not None and math.isfinite(value) else None,
        values={name: as_number(value) for name, value in facts.get("values", {}).items()},
        parameters=facts.get("parameters"),
        steps=facts.get("steps"),
        trained_s=facts.get("trained_s"),
        problem=problem,
        same_as=facts.get("same_as"),
    )
