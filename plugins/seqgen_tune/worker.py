"""The task of a worker process: one trial of a study."""

from __future__ import annotations

import functools
from pathlib import Path

import seqgen
from seqgen_tune.planning import Planner
from seqgen_tune.study import StudyFolder
from seqgen_tune.trial import Trainer


def train_next(folder: str, trials: int) -> int | None:
    """Train the next trial of a study; return its number, or None where there is none to begin.

    Args:
        folder: of the study, which all workers share.
        trials: number of trials of the study.

    Raises:
        UsageError, CheckpointError, DiskError: as ``StudyFolder``.
    """
    study = StudyFolder(seqgen.WorkFolder(Path(folder)))
    with study.worker() as worker:
        begun = study.begin(worker, trials)
        if begun is None:
            return None
        Trainer(study, _planner(folder)).run(begun)
        return begun.trial.number


@functools.lru_cache(maxsize=1)
def _planner(folder: str) -> Planner:
    """Return the planner of the trials that this process trains, which keeps what was read."""
    return Planner(seqgen.choose_plugins(), lambda line: None)  # the process that started this one has warned
