"""A study: trials begun one after another until there are as many as wanted, or the time is over."""

from __future__ import annotations

import contextlib
import importlib.util
import time as clock
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
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
_MOST_LOST = 3  # tasks in a row that lose their workers; a trial that ends them is given up before
_EXECUTOR = "executor."

OnTrial = Callable[["TuneResult", "TrialResult"], None]
"""Callback of each trial that ended here or on a worker: the results so far, and the trial."""


def _ignore(*_: Any) -> None:
    """Ignore a message."""


def tune(
    corpus: str | Path | Sequence[str | Path] | None = None,
    space: Sequence[str] | Mapping[str, str] = (),
    *,
    trials: int | None = None,
    time: str | float | None = None,
    pruner: str | None = None,
    workers: int = 1,
    on: str = "local",
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
    same time. With one worker it is reproducible: the same seed gives the same trials, however often it was stopped.

    Args:
        corpus: as ``seqgen.train`` takes it.
        space: settings like ``lr=1e-4..1e-2:log``, ``hidden=32|64``, ``layers=1..3`` and ``cell.*``; or these by name.
        trials: number of trials of the study, 20 by default.
        time: no trial begins after this much time, seconds or like "30m".
        pruner: "median" (the default), "hyperband" or "none".
        workers: number of trials that are trained at once; with one on "local", in this process.
        on: the executor of the workers, which share the folder.
        options: any option by ``"part.name"``; ``"executor.name"`` is one of the executor.
        out: the folder; None: the next ``runs/tune-<corpus>-001``.
        plugins: as ``seqgen.train`` takes them.
        on_trial: called after each trial.
        warn: called with one line for each warning, once.
        progress: called while the corpus is read, as in ``seqgen.plan``.
        log: called with one line that says what is searched.
        settings: further keywords of ``seqgen.train``, fixed in all trials; parts by name. None: not given.

    Raises:
        UsageError: a setting is impossible, or the folder has a study with other settings or plugins.
        CorpusError: the corpus is unreadable or empty, has no validation part, or has changed since the study began.
        MissingExtra: optuna is not installed.
        Interrupted: a signal came; the study can go on.
        DiskError: the disk refused.
        TaskFailed: worker after worker is lost.
    """
    if importlib.util.find_spec("optuna") is None:
        raise seqgen.MissingExtra("tune", "seqgen tune")
    for name, number in (("--trials", 1 if trials is None else trials), ("--workers", workers)):
        if not isinstance(number, int) or number < 1:
            raise seqgen.BadOption(f"{name} must be a whole number, at least 1, not {number!r}")
    until = float("inf") if time is None else clock.monotonic() + commands.parse_duration(time)
    given = parse([f"{name}={values}" for name, values in space.items()] if isinstance(space, Mapping) else space)
    fixed = {name: value for name, value in settings.items() if value is not None}
    given_options = dict(options or {})
    executor = {name: given_options.pop(name) for name in list(given_options) if name.startswith(_EXECUTOR)}
    executor = {name.removeprefix(_EXECUTOR): value for name, value in executor.items()}
    if given_options:
        fixed["options"] = given_options
    planner = Planner(seqgen.choose_plugins(plugins), _once(warn), progress)
    planner.plugins.registry.get("executor", on, planner.plugins.failed_hint)
    folder = None if out is None else Path(out)
    if folder is not None and (folder / STUDY).exists() and corpus is None and "config" not in fixed:
        opened = open_again(folder, given or fixed or pruner, planner)
    elif folder is not None and not given and corpus is None and "config" not in fixed:
        raise seqgen.UsageError(f"{str(folder)!r} is not the folder of a study, and no settings to search are given")
    else:
        definition = define(corpus, given, fixed, pruner or "median", trials or _TRIALS, planner)
        opened = open_folder(folder, definition, planner)
    from seqgen_tune.results import collect, so_far
    from seqgen_tune.study import StudyFolder

    study = StudyFolder(opened)
    wanted = trials or study.definition.trials
    searched = " ".join(map(str, study.definition.space))
    log(f"{opened.path}: {_trials_in_words(study, wanted, len(so_far(study).trials))} of {searched}")
    if (workers, on, executor) == (1, "local", {}):
        ended = _here(study, planner, wanted, until)
    else:
        ended = _by_workers(study, planner, wanted, until, workers=workers, on=on, options=executor)
    with _stopping(study, planner), contextlib.closing(ended):  # closed, it ends the workers
        for number in ended:
            result = so_far(study)
            on_trial(result, next(one for one in result.trials if one.number == number))
    return collect(study, planner.plugins)


def _trials_in_words(study: StudyFolder, wanted: int, n_known: int) -> str:
    """Return the number of trials that a study will have, which may have more than are wanted, or few combinations."""
    most = wanted if study.combinations is None else min(wanted, len(study.combinations))
    known = f" ({n_known:,} there already)" if n_known else ""
    return commands.counted(max(most, n_known), "trial") + known


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that passes each warning on once."""
    warned: set[str] = set()

    def warn_once(line: str) -> None:
        if line not in warned:
            warned.add(line)
            warn(line)

    return warn_once


def _here(study: StudyFolder, planner: Planner, trials: int, until: float) -> Generator[int, None, None]:
    """Train trials in this process, and yield the number of each that has ended."""
    from seqgen_tune.trial import Trainer

    trainer = Trainer(study, planner)
    with study.worker() as worker:
        while clock.monotonic() < until and (begun := study.begin(worker, trials)) is not None:
            trainer.run(begun)
            yield begun.trial.number


def _by_workers(
    study: StudyFolder, planner: Planner, trials: int, until: float, **executor: Any
) -> Generator[int, None, None]:
    """Train trials by workers, and yield the number of each that has ended.

    Args:
        study: the study.
        planner: whose plugins the workers load.
        trials: number of trials of the study.
        until: when no more trials begin, a time of ``time.monotonic``.
        executor: the workers, keywords of ``seqgen.run_tasks``.

    Raises:
        TaskFailed: worker after worker is lost.
    """

    def tasks() -> Iterator[seqgen.Task]:
        while clock.monotonic() < until and not study.is_complete(trials):
            arguments = {"folder": str(study.folder.path.absolute()), "trials": trials}
            yield seqgen.Task("seqgen_tune.worker:train_next", arguments, "a trial")

    n_lost = 0
    with contextlib.closing(seqgen.run_tasks(tasks(), plugins=planner.plugins, **executor)) as results:
        for result in results:
            n_lost = n_lost + 1 if isinstance(result.error, seqgen.TaskFailed) else 0
            if 0 < n_lost < _MOST_LOST:
                planner.warn(str(result.error))
            elif result.value is not None:
                yield result.value


@contextlib.contextmanager
def _stopping(study: StudyFolder, planner: Planner) -> Iterator[None]:
    """Say of a signal how the study goes on, and record that the trials which it ended are tried again."""
    try:
        yield
    except (seqgen.Interrupted, KeyboardInterrupt) as error:
        with contextlib.suppress(seqgen.SeqgenError):  # on a full disk the next process records it
            study.cut_all()
        path = study.folder.path
        line = f"stopped; the trials so far are in {path}; {planner.continue_command(path)} continues"
        number = error.exit_code - 128 if isinstance(error, seqgen.Interrupted) else getattr(error, "number", 2)
        raise seqgen.Interrupted(number, line) from None
