"""A study: trials begun one after another until there are as many as wanted, or the time is over."""

from __future__ import annotations

import contextlib
import importlib.util
import shlex
import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seqgen
from seqgen import commands
from seqgen_tune.definition import STUDY
from seqgen_tune.opening import define, open_again, open_folder
from seqgen_tune.planning import Planner
from seqgen_tune.ranges import parse

if TYPE_CHECKING:
    from seqgen_tune.results import TrialResult, TuneResult
    from seqgen_tune.study import StudyFolder

_TRIALS = 20

OnTrial = Callable[["TuneResult", "TrialResult"], None]
"""Callback of each trial that ended in this process: the results so far, and the trial."""


def _ignore(*_: Any) -> None:
    """Ignore a message."""


def tune(
    corpus: str | Path | None = None,
    space: Sequence[str] | Mapping[str, str] = (),
    *,
    trials: int | None = None,
    time: str | float | None = None,
    pruner: str | None = None,
    options: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    plugins: Any = None,
    on_trial: OnTrial = _ignore,
    warn: Callable[[str], None] = _ignore,
    progress: Any = None,
    log: Callable[[str], None] = _ignore,
    **settings: Any,
) -> TuneResult:
    """Search for the settings with the lowest held-out loss; the test part is never looked at.

    A study in a folder that exists goes on: with the same settings, or with none. Other processes may work on it at the
    same time. With one process it is reproducible: the same seed gives the same trials, however often it was stopped.

    Args:
        corpus: as ``seqgen.train`` takes it.
        space: settings like ``lr=1e-4..1e-2:log``, ``hidden=32|64``, ``layers=1..3`` and ``cell.*``; or these by name.
        trials: number of trials of the study, 20 by default.
        time: no trial begins after this much time, seconds or like "30m".
        pruner: "median" (the default), "hyperband" or "none".
        options: any option by ``"part.name"``.
        out: the folder; None: the next ``runs/tune-<corpus>-001``.
        plugins: as ``seqgen.train`` takes them.
        on_trial: called after each trial.
        warn: called with one line for each warning, once.
        progress: called while the corpus is read, as in ``seqgen.plan``.
        log: called with one line that says what is searched.
        settings: further keywords of ``seqgen.train``, fixed in all trials; parts by name. None: not given.

    Raises:
        UsageError: a setting is impossible, or the folder has a study with other settings.
        CorpusError: the corpus is unreadable or empty, has no validation part, or has changed since the study began.
        MissingExtra: optuna is not installed.
        Interrupted: a signal came; the study can go on.
        DiskError: the disk refused.
    """
    if importlib.util.find_spec("optuna") is None:
        raise seqgen.MissingExtra("tune", "seqgen tune")
    if trials is not None and (not isinstance(trials, int) or trials < 1):
        raise seqgen.BadOption(f"--trials must be a whole number, at least 1, not {trials!r}")
    until = float("inf") if time is None else clock.monotonic() + commands.parse_duration(time)
    given = parse([f"{name}={values}" for name, values in space.items()] if isinstance(space, Mapping) else space)
    fixed = {name: value for name, value in settings.items() if value is not None}
    if options:
        fixed["options"] = dict(options)
    planner = Planner(seqgen.choose_plugins(plugins), _once(warn), progress)
    folder = None if out is None else Path(out)
    if folder is not None and (folder / STUDY).exists() and corpus is None and "config" not in fixed:
        opened = open_again(folder, given or fixed or pruner, planner)
    else:
        definition = define(corpus, given, fixed, pruner or "median", trials or _TRIALS, planner)
        opened = open_folder(folder, definition)
    from seqgen_tune.results import collect
    from seqgen_tune.study import StudyFolder
    from seqgen_tune.trial import Trainer

    study = StudyFolder(opened)
    wanted = trials or study.definition.trials
    log(f"{opened.path}: {commands.counted(wanted, 'trial')} of {' '.join(map(str, study.definition.space))}")
    _search(study, Trainer(study, planner), wanted, until, on_trial)
    return collect(study, planner.plugins)


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that passes each warning on once."""
    warned: set[str] = set()

    def warn_once(line: str) -> None:
        if line not in warned:
            warned.add(line)
            warn(line)

    return warn_once


def _search(study: StudyFolder, trainer: Any, trials: int, until: float, on_trial: OnTrial) -> None:
    """Train trials until there are as many as wanted, or the time is over.

    Raises:
        Interrupted: a signal came.
    """
    from seqgen_tune.results import so_far

    with _stopping(study), study.worker() as worker:
        while clock.monotonic() < until and (begun := study.begin(worker, trials)) is not None:
            trainer.run(begun)
            result = so_far(study)
            on_trial(result, next(one for one in result.trials if one.number == begun.trial.number))


@contextlib.contextmanager
def _stopping(study: StudyFolder) -> Iterator[None]:
    """Say of a signal how the study goes on."""
    try:
        yield
    except (seqgen.Interrupted, KeyboardInterrupt) as error:
        path = str(study.folder.path)
        line = f"stopped; the trials so far are in {path}; seqgen tune --out {shlex.quote(path)} continues"
        number = error.exit_code - 128 if isinstance(error, seqgen.Interrupted) else getattr(error, "number", 2)
        raise seqgen.Interrupted(number, line) from None
