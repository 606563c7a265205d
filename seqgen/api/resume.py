"""Resuming a run from its newest checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.factories import corpus_of, read_again, read_counts, read_vocabulary, rebuild_model
from seqgen.api.missing_plugin import changed_plugins
from seqgen.api.run import Run
from seqgen.api.run_metadata import environment, with_corpus
from seqgen.api.training_run import OpenedTraining, run_training
from seqgen.api.warm_start import load_weights, reload_warm_start
from seqgen.checkpoint import RUNS, RunSettings, WarmStartSettings, find_run
from seqgen.errors import BadOption, CheckpointError
from seqgen.plugins import Plugins, PluginsArgument, choose_plugins
from seqgen.signals import graceful_stop

if TYPE_CHECKING:
    from seqgen.render.progress import Listener, OnProgress
    from seqgen.tokenizers import Vocabulary


def resume(
    run: str | Path | None = None,
    *,
    allow_corpus_change: bool = False,
    plugins: PluginsArgument = None,
    listener: Listener | None = None,
    warn: Callable[[str], None] | None = None,
    progress: OnProgress | bool | None = None,
) -> Run:
    """Resume a run from its newest valid checkpoint; the result is the one of a run that was never stopped.

    Args:
        run: its folder, or a name under ``runs/``; None: the newest run that has not ended.
        allow_corpus_change: resume even if the corpus has changed; the result is then a different one.
        plugins: as ``seqgen.train`` takes them, and so ``listener`` and ``progress``.
        listener: called with the run folder and each event.
        warn: called with one line for each warning, such as a damaged checkpoint that is skipped.
        progress: whether a ``seqgen.ProgressLine`` is shown, or a function called while the corpus is read.

    Returns:
        The finished run; one that had ended already is returned as it is.

    Raises:
        NoSuchRun: there is none.
        RunLocked: another process is training it.
        CheckpointError: no checkpoint can be used, or a plugin is missing.
        CorpusError: the corpus is not what it was.
    """
    from seqgen.training.engine_choice import restore_engine

    plugins = choose_plugins(plugins)
    from seqgen.render.progress import with_progress_line

    listener, warn, progress = with_progress_line(listener, warn, progress)
    with find_run(run, RUNS, unfinished=True).locked() as folder:
        folder.clean()
        settings = folder.settings()
        snapshot = folder.load_latest(warn)
        if snapshot is not None and snapshot.state.get("ended"):
            return Run(folder, settings, plugins)
        settings = _warn_of_changes(settings, plugins, warn)
        model = rebuild_model(plugins, settings, None if snapshot is None else snapshot.model)
        vocabulary = read_vocabulary(folder, settings, plugins)
        if snapshot is None and settings.start is not None:
            _load_start(model, settings.start, plugins, vocabulary)
        changed = warn if allow_corpus_change else None
        advice = "restore it, train anew, or continue with the corpus as it is now: --allow-corpus-change"
        corpus = corpus_of(settings, plugins)
        data = read_again(corpus, settings, vocabulary, progress, warn=warn, changed=changed, advice=advice)
        restore_engine(model, data.encoded, data.vocabulary, settings.engine, settings.train, warn)
        if data.survey.digest != settings.corpus.digest:
            settings = with_corpus(settings, data)
            folder.record_corpus(settings.corpus)
        with graceful_stop() as stop:
            counts = read_counts(folder, settings) if settings.train.blend in ("auto", "ngram") else None
            opened = OpenedTraining(folder, settings, plugins, data, model, warn, stop, counts, snapshot)
            return run_training(opened, listener)


def _load_start(model: Any, recorded: WarmStartSettings, plugins: Plugins, vocabulary: Vocabulary) -> None:
    """Load the weights that a run started from into its model."""
    try:
        load_weights(model, reload_warm_start(recorded, plugins), vocabulary)
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
        settings = settings.model_copy(update={"engine": engine.model_copy(update={"device": instead})})
    for name in ("torch", "machine", *(["gpu"] if engine.device.startswith("cuda") and "gpu" in now else [])):
        before = settings.environment.get(name)
        if before != now[name]:
            warn(
                f"the run was started with {name} {before}, this is {now[name]}: its result may differ in the last bits"
            )
    for line in changed_plugins(plugins, settings):
        warn(line)
    return settings
