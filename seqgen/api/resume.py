"""Going on with a run: resuming it from its newest checkpoint, and refitting it to its held-out records too."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.data_parallel import (
    Workers,
    check_buffers,
    choose_workers,
    follow_if_launched,
    only_executor_options,
)
from seqgen.api.encoded_corpus import missing_corpus, read_again
from seqgen.api.factories import corpus_of, read_counts, read_vocabulary, rebuild_model
from seqgen.api.missing_plugin import changed_plugins
from seqgen.api.open_run import plugins_for
from seqgen.api.run import Run
from seqgen.api.run_metadata import environment, made_here, run_files, with_corpus
from seqgen.api.training_run import OpenedTraining, run_training
from seqgen.api.warm_start import reload_warm_start
from seqgen.checkpoint import (
    RefitSettings,
    RunFolder,
    RunSettings,
    WarmStartSettings,
    damaged_logs,
    find_run,
    refit_path,
)
from seqgen.compute import as_torch_starts
from seqgen.config import split_hint
from seqgen.errors import BadOption, CheckpointError, UsageError
from seqgen.plugins import Plugins, PluginsArgument, choose_plugins
from seqgen.signals import graceful_stop

if TYPE_CHECKING:
    from seqgen.config import TrainSettings
    from seqgen.render.progress import Listener, OnProgress
    from seqgen.tokenizers import Vocabulary


@as_torch_starts()
def resume(
    run: str | PathLike[str] | None = None,
    *,
    allow_corpus_change: bool = False,
    workers: int | None = None,
    on: str | None = None,
    options: Mapping[str, Any] | None = None,
    plugins: PluginsArgument = None,
    listener: Listener | None = None,
    warn: Callable[[str], None] | None = None,
    progress: OnProgress | bool | None = None,
) -> Run:
    """Resume a run from its newest valid checkpoint; the result is the one of a run that was never stopped.

    Args:
        run: its folder, or a name under ``runs/``; None: the newest run that has not ended.
        allow_corpus_change: resume even if the corpus has changed; the result is then a different one.
        workers: processes that share each batch, of a run that was trained with ``workers``, in any number; the result
            stays the same. None: this process alone.
        on: executor that runs the other workers; None: "local".
        options: its options, as ``{"executor.address": "auto"}``.
        plugins: as ``seqgen.train`` takes them, and so ``listener`` and ``progress``.
        listener: called with the run folder and each event.
        warn: called with one line for each warning, such as a damaged checkpoint that is skipped.
        progress: whether a ``seqgen.ProgressLine`` is shown, or a function called while the corpus is read.

    Returns:
        The finished run; one that had ended already is returned as it is. If it was trained with ``refit``, its refit,
        which is begun or resumed.

    Raises:
        NoSuchRun: there is none.
        RunLocked: another process is training it.
        CheckpointError: no checkpoint can be used, or a plugin is missing.
        CorpusError: the corpus is not what it was.
        BadOption: the pieces of its batches cannot be shared by so many workers.
        UsageError: the run is an export, or the executor cannot run the workers.
        WorkerLost: a worker has ended, or did not start in time; the last checkpoint stays.
    """
    follow_if_launched(plugins)
    plugins = choose_plugins(plugins_for(run, plugins))
    from seqgen.render.progress import with_progress_line

    listener, warn, progress = with_progress_line(listener, warn, progress)
    choose = partial(choose_workers, workers, on, only_executor_options(options))
    finished = _resumed(run, plugins, listener, warn, progress, allow_corpus_change, choose)
    if not finished.settings.train.refit:
        return finished
    if (begun := refit_path(finished.path)).exists():
        _check_refit(begun, finished)
        return _resumed(begun, plugins, listener, warn, progress, allow_corpus_change, choose)
    return refit_by(choose, finished.path, plugins, listener, warn, progress)


def _export(verb: str, folder: RunFolder) -> UsageError:
    """Return the error of an export that is to be trained on."""
    return UsageError(
        f"cannot {verb} {str(folder.path)!r}: it is an export, without the state of the optimizer; to train on "
        f"from its weights, run: seqgen train --corpus CORPUS --from {shlex.quote(str(folder.path))}"
    )


def _check_refit(begun: Path, run: Run) -> None:
    """Refuse the refit of another run, which once had the name of this one.

    Raises:
        UsageError: it is one, or no refit.
    """
    state, latest = run.folder.best_state(run.warn), run.folder.latest_state()
    expected = _refit_settings(run.settings, state, latest or state, str(run.path))
    unknown = {"run"}  # and what held-out records chose, where the checkpoint of the best step is damaged
    unknown |= {"blend", "gate", "kept_share", "repeats"} if state["step"] != state["best_step"] else set()

    def key(settings: RunSettings) -> tuple[Any, Any]:
        split = tuple(
            round(share, 9) for share in settings.train.split
        )  # its last digits once changed when it was read
        train = settings.train.model_copy(update={"split": split}).model_dump(exclude=unknown)
        return train, settings.refit and settings.refit.model_dump(exclude=unknown)

    if key(RunFolder(begun).settings()) != key(expected):
        raise UsageError(
            f"cannot refit {str(run.path)!r}: {str(begun)!r} is there and is not its refit; move it away, or run: "
            f"seqgen refit {shlex.quote(str(run.path))} --out FOLDER"
        )


def _resumed(
    run: str | PathLike[str] | None,
    plugins: Plugins,
    listener: Listener | None,
    warn: Callable[[str], None],
    progress: OnProgress,
    allow_corpus_change: bool,
    choose: Callable[[int, Plugins], Workers],
) -> Run:
    """Resume one run."""
    from seqgen.counting import Mixture
    from seqgen.training.engine_choice import restore_engine

    with find_run(run, unfinished=True).locked() as folder:
        folder.clean()
        settings = folder.settings()
        workers = choose(settings.train.pieces, plugins)
        snapshot = folder.load_latest(warn)
        if snapshot is not None and snapshot.train is None:
            raise _export("resume", folder)
        if snapshot is not None and snapshot.state.get("ended"):
            for line in damaged_logs(folder):
                warn(line)
            if allow_corpus_change:
                warn(f"{folder.name} has ended, so that its corpus stays what it was; --from {folder.name} trains on")
            return Run(folder, settings, plugins)
        Mixture.read({} if snapshot is None else snapshot.state)  # one that an older version blended cannot go on
        Mixture.read({} if settings.refit is None else settings.refit.model_dump())
        settings = _warn_of_changes(settings, plugins, warn)
        model = rebuild_model(plugins, settings, None if snapshot is None else snapshot.model)
        vocabulary = read_vocabulary(folder, settings, plugins)
        if snapshot is None and settings.start is not None:
            _load_start(model, settings.start, plugins, vocabulary)
        changed = warn if allow_corpus_change else None
        advice = "restore it, train anew, or continue with the corpus as it is now: --allow-corpus-change"
        with missing_corpus(folder.name):
            data = read_again(
                corpus_of(settings, plugins), settings, vocabulary, progress, warn=warn, changed=changed,
                advice=advice, plugins=plugins, workers=workers.readers,
            )  # fmt: skip
        restore_engine(model, data.encoded, data.vocabulary, settings.engine, settings.train, warn)
        check_buffers(model, data, settings, workers.number)
        if data.survey.digest != settings.corpus.digest:
            settings = with_corpus(settings, data)
            folder.record_corpus(settings.corpus)
        with graceful_stop() as stop:
            counts = read_counts(folder, settings) if settings.train.blend in ("auto", "ngram") else None
            opened = OpenedTraining(folder, settings, plugins, data, model, warn, stop, counts, snapshot, workers)
            return run_training(opened, listener)


@as_torch_starts()
def refit(
    run: str | PathLike[str] | None = None,
    *,
    out: str | Path | None = None,
    workers: int | None = None,
    on: str | None = None,
    options: Mapping[str, Any] | None = None,
    plugins: PluginsArgument = None,
    listener: Listener | None = None,
    warn: Callable[[str], None] | None = None,
    progress: OnProgress | bool | None = None,
) -> Run:
    """Train the model of a finished run anew on its training and validation records, in a new run folder.

    The held-out records have chosen the best step, and the gate of a blend; here they are learned from as well, by the
    same settings, for as many passes as led to that step. The test records stay apart. All that is said of training
    records, such as which samples are new, then holds for both parts.

    Args:
        run: its folder, or a name under ``runs/``; None: the newest run with a checkpoint.
        out: the new folder; None: the name of the run with ``-refit`` after it.
        workers: as ``resume`` takes it.
        on: as ``resume`` takes it.
        options: as ``resume`` takes them.
        plugins: as ``seqgen.train`` takes them, and so ``listener`` and ``progress``.
        listener: called with the run folder and each event.
        warn: called with one line for each warning.
        progress: whether a ``seqgen.ProgressLine`` is shown, or a function called while the corpus is read.

    Returns:
        The finished new run.

    Raises:
        NoSuchRun: there is none.
        BadOption: it has not ended, nothing was held out, or its weights are those of another run.
        UsageError: the folder exists.
        CheckpointError: no checkpoint can be used, or a plugin is missing.
        CorpusError: the corpus is not what it was.
        Diverged, Interrupted, DiskError, WorkerLost: as ``seqgen.train``.
    """
    from seqgen.render.progress import with_progress_line

    follow_if_launched(plugins)
    plugins = choose_plugins(plugins_for(run, plugins))
    listener, warn, progress = with_progress_line(listener, warn, progress)
    choose = partial(choose_workers, workers, on, only_executor_options(options))
    return refit_by(choose, run, plugins, listener, warn, progress, out)


def refit_by(
    choose: Callable[[int, Plugins], Workers],
    run: str | PathLike[str] | None,
    plugins: Plugins,
    listener: Listener | None,
    warn: Callable[[str], None],
    progress: OnProgress,
    out: str | Path | None = None,
) -> Run:
    """Refit a run as ``refit`` does.

    Args:
        choose: returns the processes that share each batch, from its number of pieces and the plugins.
        run: as ``refit`` takes it, and so ``listener``, ``warn`` and ``out``.
        plugins: the plugins of the run.
        listener: called with the run folder and each event.
        warn: called with one line for each warning.
        progress: called while the corpus is read.
        out: the new folder.
    """
    from seqgen.evaluation import learned_combinations
    from seqgen.training.engine_choice import restore_engine

    known = find_run(run)
    state = known.best_state(warn)
    if known.is_export():
        raise _export("refit", known)
    latest = known.latest_state() or state
    if not latest["ended"]:
        raise BadOption(f"{known.path} has not ended, so that its best step is not known: seqgen resume {known.path}")
    path = refit_path(known.path) if out is None else Path(out)
    RunFolder(path).refuse_existing()
    settings = _warn_of_changes(_refit_settings(known.settings(), state, latest, str(known.path)), plugins, warn)
    workers = choose(settings.train.pieces, plugins)
    vocabulary = read_vocabulary(known, settings, plugins)
    model = rebuild_model(plugins, settings, None)
    with missing_corpus(known.name):
        corpus = corpus_of(settings, plugins)
        data = read_again(corpus, settings, vocabulary, progress, warn=warn, plugins=plugins, workers=workers.readers)
    settings = settings.with_values("corpus", {"combinations": learned_combinations(data.encoded, vocabulary)})
    restore_engine(model, data.encoded, vocabulary, settings.engine, settings.train, warn)
    check_buffers(model, data, settings, workers.number)
    files, counts = run_files(settings, data)
    with graceful_stop() as stop, RunFolder.create(path, files).locked() as folder:
        opened = OpenedTraining(folder, settings, plugins, data, model, warn, stop, counts, workers=workers)
        return run_training(opened, listener)


def _refit_settings(
    settings: RunSettings, best: Mapping[str, Any], latest: Mapping[str, Any], folder: str
) -> RunSettings:
    """Return the settings of the refit of a run.

    Its learning rate falls as that of the run did, with more steps for more records, and it stops where the best step
    would be.

    Args:
        settings: settings of the run.
        best: the state of its best checkpoint.
        latest: the state of its latest checkpoint.
        folder: its folder.

    Raises:
        BadOption: nothing was held out, its model counts, or its weights are those of another run.
        CheckpointError: an older version blended it.
    """
    from seqgen.batches import count_batches
    from seqgen.counting import Mixture

    parts, unseen, step = settings.corpus.parts, settings.corpus.unseen, best["best_step"]
    if settings.refit is not None:
        raise BadOption(f"{folder} is a refit already, of {settings.refit.run}")
    if step is None or not parts["valid"]:
        raise BadOption(
            f"{folder} cannot be refitted: no held-out records chose its best step; "
            f"train with some, as with {split_hint(settings.corpus.test)}"
        )
    if settings.start is not None:
        raise BadOption(f"{folder} cannot be refitted: it starts from the weights of another run")
    train, window = settings.train, settings.train.window if settings.corpus.layout == "stream" else None
    mixture, more = Mixture.read(best), (parts["train"] + parts["valid"]) / parts["train"]
    steps, per_epoch = max(1, round(step * more)), count_batches(parts["train"], train.batch_size, window)
    whole = max(steps, round(_whole_steps(train, per_epoch, latest) * more))
    changed = {
        "steps": whole, "epochs": None, "time_s": None, "best_by": "loss", "refit": False,
        "blend": "none" if mixture.gate is None else train.blend,
        "repeats": "none" if mixture.repeats is None else "on",
    }  # fmt: skip
    learned_from = {
        "parts": {"train": parts["train"] + parts["valid"], "valid": 0, "test": parts["test"]},
        "unseen": {"test": [one for one in unseen.get("test", ()) if one not in unseen.get("valid", ())]},
    }
    fitted = {"gate": mixture.gate, "kept_share": mixture.kept_share, "repeats": mixture.repeats}
    refit = RefitSettings(run=folder, step=step, steps=steps, **fitted)
    settings = settings.with_values("train", changed).with_values("corpus", learned_from)
    return settings.model_copy(update={**made_here(), "refit": refit})


def _whole_steps(train: TrainSettings, per_epoch: int, latest: Mapping[str, Any]) -> float:
    """Return the steps over which the learning rate of a run falls, whether or not it took them all."""
    from seqgen.training.schedule import Schedule

    most = Schedule(train, per_epoch).max_steps()
    limits = [] if most is None else [float(most)]
    if train.time_s is not None:
        limits.append(latest["step"] / min(max(latest["elapsed_s"] / train.time_s, 1e-9), 1.0))
    return min(limits, default=float(latest["step"]))


def _load_start(model: Any, recorded: WarmStartSettings, plugins: Plugins, vocabulary: Vocabulary) -> None:
    """Load the weights that a run started from into its model."""
    try:
        reload_warm_start(recorded, plugins).load_into(model, vocabulary)
    except BadOption as error:
        raise CheckpointError(
            f"run.json and tokenizer.json do not fit the weights that the run started from: {error}"
        ) from None


def _warn_of_changes(settings: RunSettings, plugins: Plugins, warn: Callable[[str], None]) -> RunSettings:
    """Warn of another device, torch, machine or plugin, where the bytes of the result may differ.

    Returns:
        The settings, with a device that exists here.
    """
    from seqgen.training.engine_choice import is_available

    now, engine = environment(), settings.engine
    if not is_available(engine.device):
        instead = "cuda" if is_available("cuda") else "cpu"
        gone = f"the device {engine.device!r} of the run is not available"
        warn(f"{gone}: it continues on {instead!r}, and its result will differ")
        settings = settings.with_values("engine", {"device": instead})
    for name in ("torch", "machine", *(["gpu"] if engine.device.startswith("cuda") and "gpu" in now else [])):
        before = settings.environment.get(name)
        if before != now[name]:
            warn(
                f"the run was started with {name} {before}, this is {now[name]}: its result may differ in the last bits"
            )
    for line in changed_plugins(plugins, settings):
        warn(line)
    return settings
