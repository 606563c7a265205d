"""One trial of a study: a training run, pruned by its evaluations, and its held-out loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState

import seqgen
from seqgen import events, measure
from seqgen_tune.planning import Planner
from seqgen_tune.sampling import N_PARTS
from seqgen_tune.study import Begun, StudyFolder

FAILURES = (Exception, SystemExit)
"""Errors of a trial that do not end the study; see ``seqgen.failure_reason``."""
PLAIN = {"train.samples": 0}
"""Settings of all trials unless others are given: nobody looks at samples meanwhile."""


class PruningListener:
    """A listener that reports the evaluations of a run, and stops it when the study prunes it.

    Args:
        study: the study.
        begun: its trial.

    Attributes:
        pruned: whether it has stopped the run.
    """

    def __init__(self, study: StudyFolder, begun: Begun) -> None:
        self._study, self._begun = study, begun
        self._share, self._reported = 0.0, 0  # nothing is reported before the first step, where all trials are alike
        self.pruned = False

    def __call__(self, folder: Any, event: Any) -> None:
        """Take an event.

        Raises:
            KeyboardInterrupt: the trial is pruned; the run stops.
        """
        if isinstance(event, events.Evaluating):
            self._share = event.share
        elif isinstance(event, events.Report):
            part = round(N_PARTS * self._share)
            if self._reported < part < N_PARTS:
                self._reported = part
                self.pruned = self._study.report(self._begun, event.metrics["valid_bits_per_char"], part)
                if self.pruned:
                    raise KeyboardInterrupt


@dataclass
class Trainer:
    """Trains the trials of a study in this process.

    Attributes:
        study: the study.
        planner: plans its runs.
    """

    study: StudyFolder
    planner: Planner

    def run(self, begun: Begun) -> None:
        """Train a trial and record its result, or that it failed; one whose values are known gets the known result.

        Raises:
            Interrupted: a signal came; the trial will be tried again.
            DiskError: the disk refused.
        """
        if begun.known is not None:
            known = begun.known
            facts = {name: fact for name, fact in known.user_attrs.items() if name in ("problem", "diverged")}
            self.study.finish(begun, known.state, _value_of(known), **facts, same_as=known.number)
            return
        try:
            self._train(begun)
        except seqgen.Diverged as error:
            self._discard(begun, TrialState.COMPLETE, math.inf, diverged=True, problem=seqgen.failure_reason(error))
        except (KeyboardInterrupt, seqgen.Interrupted):
            self.study.cut(begun)
            raise
        except FAILURES as error:
            self._discard(begun, TrialState.FAIL, problem=seqgen.failure_reason(error))

    def _train(self, begun: Begun) -> None:
        definition, folder = self.study.definition, self.study.folder
        fixed = {**definition.settings, "options": {**PLAIN, **(definition.settings.get("options") or {})}}
        plan = self.planner.plan(definition.corpus, begun.values, fixed)
        definition.check_corpus(plan)
        folder.remove(begun.folder)  # of a trial of this number whose journal was lost
        listener = PruningListener(self.study, begun)
        try:
            run = plan.train(folder.path / begun.folder, listener=listener, root=folder.path)
        except seqgen.Interrupted:
            if not listener.pruned:
                raise
            self._discard(begun, TrialState.PRUNED)
            return
        state = measure.training_state(run)
        facts = {"parameters": run.settings.n_parameters, "steps": state.step, "trained_s": state.elapsed_s}
        self.study.finish(begun, TrialState.COMPLETE, best_bits_per_char(run, plan, state.best_step), **facts)

    def _discard(self, begun: Begun, state: TrialState, value: float | None = None, **facts: Any) -> None:
        """Record a trial without a usable run, and remove what it has written."""
        self.study.finish(begun, state, value, **facts)
        self.study.folder.remove(begun.folder)


def _value_of(known: Any) -> float | None:
    return known.value if known.state == TrialState.COMPLETE else None


def best_bits_per_char(run: seqgen.Run, plan: seqgen.TrainingPlan, best_step: int | None) -> float:
    """Return the held-out bits per character at the best step.

    Where the time limit let the evaluation see a part of the records only, all are evaluated, since other trials may
    have seen more.

    Raises:
        Diverged: they are not finite.
    """
    row = next((row for row in run.metrics if row["step"] == best_step), {})
    if "valid_symbols" in row or "valid_bits_per_char" not in row:
        held_out = measure.held_out_loss(run, "valid", plan.data)
        assert held_out is not None
        bits = held_out.bits_per_char
    else:
        bits = float(row["valid_bits_per_char"])
    if not math.isfinite(bits):
        raise seqgen.Diverged(f"its validation part has {bits} bits per character")
    return bits
