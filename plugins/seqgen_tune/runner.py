"""A study: trials begun one after another until there are as many as wanted, or the time is over."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shlex
import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seqgen
from seqgen import commands
from seqgen_tune.definition import STUDY, Definition
from seqgen_tune.dimension import PARTS, as_keywords
from seqgen_tune.ranges import Given, parse
from seqgen_tune.space import SpaceBuilder, first_values

if TYPE_CHECKING:
    from seqgen_tune.results import TrialResult, TuneResult
    from seqgen_tune.study import StudyFolder

_TRIALS = 20
_RESERVED = {"out": "each trial has a folder of its own", "refit": "its run has no held-out records"}

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
    plugins = seqgen.choose_plugins(plugins)
    warn = _once(warn)
    cache: dict[str, Any] = {}
    folder = None if out is None else Path(out)
    if folder is not None and (folder / STUDY).exists() and corpus is None and "config" not in fixed:
        opened = _open_again(folder, given or fixed or pruner)
    else:
        wanted = trials or _TRIALS
        definition = _define(corpus, given, fixed, pruner or "median", wanted, plugins, cache, warn, progress)
        opened = _open(folder, definition)
    from seqgen_tune.results import collect
    from seqgen_tune.study import StudyFolder
    from seqgen_tune.trial import Trainer

    study = StudyFolder(opened)
    wanted = trials or study.definition.trials
    log(f"{opened.path}: {commands.counted(wanted, 'trial')} of {' '.join(map(str, study.definition.space))}")
    _search(study, Trainer(study, plugins, warn, progress, cache), wanted, until, on_trial)
    return collect(study, plugins)


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that passes each warning on once."""
    warned: set[str] = set()

    def warn_once(line: str) -> None:
        if line not in warned:
            warned.add(line)
            warn(line)

    return warn_once


def _define(
    corpus: str | Path | None,
    given: Sequence[Given],
    fixed: Mapping[str, Any],
    pruner: str,
    trials: int,
    plugins: Any,
    cache: dict[str, Any],
    warn: Callable[[str], None],
    progress: Any,
) -> Definition:
    """Return the definition of a study, checked by planning a run with the first choice of each part.

    Raises:
        UsageError, CorpusError: as ``tune``.
    """
    from seqgen_tune.sampling import make_pruner
    from seqgen_tune.trial import check_held_out

    make_pruner(pruner)
    for name in [*fixed, *(fixed.get("options") or {})]:
        if (reason := _RESERVED.get(name.rpartition(".")[2])) is not None:
            raise seqgen.BadOption(f"cannot tune with {name}: {reason}")
    fixed = {name: str(value) if isinstance(value, Path) else value for name, value in fixed.items()}
    try:
        json.dumps(fixed)
    except TypeError:
        raise seqgen.BadOption("a part of a study is given by its registered name, not as a class or a spec") from None
    first = {one.name: one.choices[0] for one in given if one.name in PARTS and one.choices}
    keywords: dict[str, Any] = as_keywords(first, fixed)
    plan = seqgen.plan(corpus, plugins=plugins, warn=warn, progress=progress, cache=cache, **keywords)
    check_held_out(plan)
    resolved = plan.resolved
    parts = {"model": resolved.model.qualified, "tokenizer": resolved.tokenizer.qualified}
    if resolved.cells:
        parts["cell"] = ",".join(entry.qualified for entry in resolved.cells)
    if resolved.augmentation is not None:
        parts["augment"] = resolved.augmentation.qualified
    space = SpaceBuilder(given, fixed, parts, plugins).build()
    named, first = None if corpus is None else str(corpus), first_values(space, plan.settings)
    digest = plan.settings.corpus.digest
    return Definition(named, fixed, tuple(space), pruner, trials, resolved.title, digest, first)


def _open_again(path: Path, other: object) -> seqgen.WorkFolder:
    """Return the folder of a study that goes on with its own settings.

    Raises:
        UsageError: others are given.
    """
    if other:
        again = f"seqgen tune --out {shlex.quote(str(path))}"
        raise seqgen.UsageError(f"{str(path)!r} has a study with settings of its own; to continue it: {again}")
    return seqgen.WorkFolder.open(path, {})


def _open(path: Path | None, definition: Definition) -> seqgen.WorkFolder:
    """Return the folder of a study, created if it does not exist.

    Raises:
        UsageError: it has a study with other settings, or none.
    """
    files = {STUDY: definition.to_json()}
    if path is None:
        return seqgen.WorkFolder.create(f"tune-{definition.title[:60]}", files)
    folder = seqgen.WorkFolder.open(path, files)
    if not any(path.iterdir()):
        folder.write_json(STUDY, files[STUDY])
    mine, there = definition.to_json(), Definition.read(folder).to_json()
    for name in ("corpus", "settings", "space", "pruner", "digest"):
        if mine[name] != there[name]:
            again = f"to continue it: seqgen tune --out {shlex.quote(str(path))}"
            raise seqgen.UsageError(f"{str(path)!r} has a study with another {name}: give another --out; {again}")
    return folder


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
