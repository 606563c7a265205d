"""A study on disk: its settings, the journal of its trials, and the locks by which workers share it."""

from __future__ import annotations

import contextlib
import functools
import random
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState

import seqgen
from seqgen_tune.definition import Definition
from seqgen_tune.dimension import Combination, combinations, suggest
from seqgen_tune.journal import journal_errors, open_journal
from seqgen_tune.sampling import AGAIN, SeededSampler, make_pruner

_JOURNAL = "journal.log"
REPEATS = "repeats"
"""The attribute of a trial that is left out, since it repeats one of few combinations."""
_WORKER = re.compile("worker-[0-9a-f]{8}")
_MOST_TRIES = 3  # of a trial whose process is killed each time
_PAUSE_S, _PATIENCE_S = 0.05, 60.0  # while another worker begins a trial


@dataclass(frozen=True)
class Begun:
    """A trial that a worker has begun.

    Attributes:
        trial: the trial, to report to.
        values: the values of its settings.
        known: an earlier trial with the same values, whose result it has; or None.
    """

    trial: optuna.Trial
    values: dict[str, Any]
    known: optuna.trial.FrozenTrial | None

    @property
    def folder(self) -> str:
        """The name of its run folder."""
        return run_name(self.trial.number)


def run_name(number: int) -> str:
    """Return the name of the run folder of a trial."""
    return f"trial-{number:04d}"


class StudyFolder:
    """A study that one or more workers search, each in its own process.

    Args:
        folder: its folder.

    Attributes:
        folder: its folder.
        definition: the content of its study.json.
        study: the study of optuna.

    Raises:
        UsageError, CheckpointError: as ``Definition.read``; or the journal is damaged.
        DiskError: the disk refused.
    """

    def __init__(self, folder: seqgen.WorkFolder) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.folder, self.definition = folder, Definition.read(folder)
        path = folder.path / _JOURNAL
        if path.is_symlink():
            raise seqgen.CheckpointError(f"cannot open the journal {str(path)!r}: it is a link")
        with self._alone(), journal_errors(self.folder.path):
            sampler = SeededSampler(self.definition.seed)
            pruner: Any = make_pruner(self.definition.pruner)
            self.study = sampler.whole = pruner.whole = open_journal(path, sampler, pruner)
            if self.definition.first and not self.trials():
                self.study.enqueue_trial(dict(self.definition.first))

    @functools.cached_property
    def combinations(self) -> list[Combination] | None:
        """All combinations of values, if they are few."""
        return combinations(self.definition.space)

    # -- workers

    @contextlib.contextmanager
    def worker(self) -> Iterator[str]:
        """Yield the name of a new worker, which counts as alive while the block runs: its folder is locked."""
        name = f"worker-{secrets.token_hex(4)}"
        with contextlib.ExitStack() as stack:
            with self._alone():
                own = seqgen.WorkFolder.open(self.folder.path / name, {"worker.json": {}})
                stack.callback(self.folder.remove, name)
                stack.enter_context(own.locked())
                for other in self.folder.path.glob("worker-*"):  # those of killed processes are removed
                    self._is_alive(other.name)
            yield name

    def _is_alive(self, worker: str | None) -> bool:
        """Return whether a worker is alive; remove its folder if it is not."""
        path = self.folder.path / str(worker)
        if not _WORKER.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            return False  # among others, it was killed before it said its name
        try:
            with seqgen.WorkFolder(path).locked():
                pass
        except seqgen.RunLocked:
            return True
        except seqgen.DiskError:
            if path.exists():
                raise
            return False  # it has ended meanwhile
        self.folder.remove(path.name)
        return False

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other workers from beginning trials while the block runs.

        Raises:
            RunLocked: another process has held the folder for a minute.
        """
        give_up = time.monotonic() + _PATIENCE_S
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(self.folder.locked())
                    break
                except seqgen.RunLocked:
                    if time.monotonic() > give_up:
                        raise
                    time.sleep(_PAUSE_S)
            yield

    # -- trials

    def begin(self, worker: str, trials: int) -> Begun | None:
        """Begin the next trial, first those that were cut short; None if there are as many as wanted.

        Args:
            worker: the name of the worker.
            trials: number of trials of the study.

        Raises:
            UsageError: the configuration file has changed, or cannot be read.
        """
        self.definition.check_config(self.folder.path)
        with self._alone(), journal_errors(self.folder.path):
            while not self._is_complete(trials):
                known = self.trials()
                out = left_out(known)
                known = [trial for trial in known if trial.number not in out]
                begun = self.study.ask()
                values = suggest(self.definition.space, begun)
                same = [one for one in known if one.user_attrs.get("values") == values]
                if same and self.combinations is not None:
                    self._replace(begun, [one.user_attrs.get("values") for one in known])
                    continue
                begun.set_user_attr("worker", worker)
                begun.set_user_attr("values", values)
                finished = [one for one in same if one.state.is_finished()]
                return Begun(begun, values, finished[0] if finished else None)
            return None

    def _replace(self, begun: optuna.Trial, tried: list[Any]) -> None:
        """Leave out a trial that repeats another, and make the next one of a combination that is not tried yet."""
        begun.set_user_attr(REPEATS, True)
        self.study.tell(begun, state=TrialState.FAIL)
        left = [params for values, params in self.combinations or () if values not in tried]
        if left and all(trial.state != TrialState.WAITING for trial in self.trials()):
            self.study.enqueue_trial(random.Random(f"{self.definition.seed} {begun.number}").choice(left))

    def is_complete(self, trials: int) -> bool:
        """Return whether as many trials as wanted have begun, and none is to be tried again."""
        with self._alone(), journal_errors(self.folder.path):
            return self._is_complete(trials)

    def cut_all(self) -> None:
        """Record that the trials of workers that are gone were cut short, since this process has ended them."""
        with self._alone(), journal_errors(self.folder.path):
            self._cut_left(was_lost=False)

    def _cut_left(self, *, was_lost: bool) -> None:
        running = [trial for trial in self.trials() if trial.state == TrialState.RUNNING]
        left = {one.number for one in running if not self._is_alive(one.user_attrs.get("worker"))}
        for trial in self.trials():  # read again: a worker may have finished its trial, and ended, meanwhile
            if trial.number in left and trial.state == TrialState.RUNNING:
                self._cut(trial, was_lost=was_lost)

    def _is_complete(self, trials: int) -> bool:
        self._cut_left(was_lost=True)
        known = self.trials()
        if any(trial.state == TrialState.WAITING for trial in known):
            return False
        counted = len(known) - len(left_out(known))
        return counted >= (trials if self.combinations is None else min(trials, len(self.combinations)))

    def finish(self, begun: Begun, state: TrialState, value: float | None = None, **facts: Any) -> None:
        """Record the result of a trial.

        Args:
            begun: the trial.
            state: COMPLETE, PRUNED or FAIL.
            value: bits per character, infinite for a run that diverged.
            facts: what else is recorded of it.
        """
        with journal_errors(self.folder.path):
            for name, fact in facts.items():
                begun.trial.set_user_attr(name, fact)
            self.study.tell(begun.trial, value, state=state, skip_if_finished=True)

    def report(self, begun: Begun, value: float, part: int) -> bool:
        """Record the loss after some parts of a run; return whether the trial is to be pruned."""
        with journal_errors(self.folder.path):
            begun.trial.report(value, part)
            return begun.trial.should_prune()

    def cut(self, begun: Begun) -> None:
        """Record that a trial was cut short by a signal, so that it is tried again."""
        with self._alone(), journal_errors(self.folder.path):
            self._cut(next(trial for trial in self.trials() if trial.number == begun.trial.number), was_lost=False)

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Return all trials by number."""
        return self.study.get_trials(deepcopy=False)

    def _cut(self, trial: optuna.trial.FrozenTrial, *, was_lost: bool) -> None:
        tries = trial.user_attrs.get("tries", 1) + was_lost  # a signal says nothing of the trial that it ends
        if trial.number not in cut_numbers(self.trials()) and tries <= _MOST_TRIES:
            self.study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number, "tries": tries})
        self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        self.folder.remove(run_name(trial.number))


def left_out(trials: list[optuna.trial.FrozenTrial]) -> set[int]:
    """Return the numbers of the trials that are none of a study: cut short and tried again, or repetitions."""
    return cut_numbers(trials) | {trial.number for trial in trials if REPEATS in trial.user_attrs}


def cut_numbers(trials: list[optuna.trial.FrozenTrial]) -> set[int]:
    """Return the numbers of the trials that were cut short and are tried again."""
    return {trial.user_attrs[AGAIN] for trial in trials if AGAIN in trial.user_attrs}
