"""A training run under way: the loop, the hooks of plugins, signals, and how to continue after a failure."""

from __future__ import annotations

import contextlib
import itertools
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seqgen.api.data_parallel import Workers, gathered
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.api.factories import corpus_of, draw_of, rewriter_of
from seqgen.api.missing_plugin import given_parts, plugin_files, plugin_options
from seqgen.api.preflight import check_disk_space
from seqgen.api.run import Run
from seqgen.checkpoint import RunFolder, RunSettings, Snapshot
from seqgen.compute import computing
from seqgen.errors import (
    LESS_MEMORY,
    SAVED_NOTE,
    DiskError,
    Diverged,
    Interrupted,
    PluginError,
    SeqgenError,
    UsageError,
    WorkerLost,
    is_out_of_memory,
    one_line,
)
from seqgen.plugins import Plugins
from seqgen.protocols import learns
from seqgen.signals import StopFlag

if TYPE_CHECKING:
    from seqgen.counting import Counts
    from seqgen.render.progress import Listener
    from seqgen.training import Trainer
    from seqgen.training.gang import Gang


_MAX_SHOWN = 64  # records of a refused batch


@dataclass(frozen=True)
class OpenedTraining:
    """A run folder that is locked, with all that its training needs.

    Attributes:
        folder: the run folder, locked.
        settings: the content of its run.json.
        plugins: their hooks are called on each event.
        data: the encoded corpus.
        model: the model, set to its engine.
        warn: called with one line if the disk has little space.
        counts: the counts that the model may be blended with, or None.
        stop: set when a signal comes, or the listener raises KeyboardInterrupt.
        snapshot: the checkpoint to resume from, or None.
        workers: the processes that share its batches.
    """

    folder: RunFolder
    settings: RunSettings
    plugins: Plugins
    data: EncodedCorpus
    model: Any
    warn: Callable[[str], None]
    stop: StopFlag
    counts: Counts | None = None
    snapshot: Snapshot | None = None
    workers: Workers = field(default_factory=Workers)


def run_training(opened: OpenedTraining, listener: Listener | None) -> Run:
    """Train a model in its run folder, from a checkpoint if there is one.

    Args:
        opened: the run.
        listener: called with the folder and each event; if it raises KeyboardInterrupt, the run stops.

    Raises:
        Diverged: the loss is not finite; the last good checkpoint stays.
        Interrupted: a signal came; the run is saved and can be resumed.
        DiskError: the disk is full or refuses.
        WorkerLost: a process that shares the batches has ended; the last checkpoint stays.
    """
    from seqgen.training import Ended, Report, Saved, Started
    from seqgen.training.background import compiling_ahead

    folder, settings, plugins, data = opened.folder, opened.settings, opened.plugins, opened.data
    model, warn, stop, snapshot = opened.model, opened.warn, opened.stop, opened.snapshot
    workers = Workers() if learns(model) else opened.workers
    if workers.number < opened.workers.number:
        warn("a model that counts is trained by one process: the other workers have nothing to do")
    with (
        _explaining(opened),
        gathered(settings, data.vocabulary, workers, plugins) as gang,
        compiling_ahead(_job_ahead(opened)),
        computing(settings.engine.threads),
    ):
        trainer = _trainer(opened, gang)
        for line in trainer.restore(snapshot):
            warn(f"{line}; the run continues, and the log is appended to as it is")
        if snapshot is None and settings.start is not None:
            trainer.state.require_initial_evaluation()
        check_disk_space(folder, model, warn)
        plugins.emit("on_run_start", path=folder.path, settings=settings.model_dump(mode="json"))
        started = Started(settings, trainer.state.step, data.remarks)
        try:
            for event in itertools.chain([started], trainer.events(stop)):
                if isinstance(event, Report):
                    texts = [row.text for row in event.samples]
                    plugins.emit("on_report", path=folder.path, metrics=dict(event.metrics), samples=texts)
                elif isinstance(event, Saved):
                    plugins.emit("on_checkpoint", path=folder.path, step=event.step, checkpoint=event.path)
                elif isinstance(event, Ended):
                    plugins.emit("on_run_end", path=folder.path, reason=event.reason)
                if listener is not None:
                    _notify(listener, folder, event, stop)
        except KeyboardInterrupt:  # the second; the first has set the flag
            plugins.emit("on_run_end", path=folder.path, reason="interrupted")
            line = f"stopped at once after step {trainer.state.step:,}; what was saved before is there"
            raise Interrupted(signal.SIGINT, line, Run(folder, settings, plugins)) from None
        except (Exception, SystemExit) as error:
            _fail(error, trainer, opened)
            raise
    if stop.signal_number:
        line = f"stopped at step {trainer.state.step:,}, saved"
        then = how_to_continue(folder, settings, ended=bool(trainer.state.ended))
        raise Interrupted(stop.signal_number, f"{line}; {then}", Run(folder, settings, plugins))
    return Run(folder, settings, plugins)


def _job_ahead(opened: OpenedTraining) -> dict[str, Any] | None:
    """Return what ``compiling_ahead`` is to compile; None, with a warning, where nothing can be."""
    from seqgen.engine.aot_cache import libraries_folder
    from seqgen.training.background import why_not_ahead
    from seqgen.training.engine_choice import trial_batch

    settings, model = opened.settings, opened.model
    if not settings.train.compile_ahead:
        return None
    reason = why_not_ahead(model, settings.train, settings.engine)
    if given := given_parts(settings):
        reason = reason or f"{given} exists in this process only"
    if reason:
        opened.warn(f"compile_ahead: no steps are compiled in the background: {reason}")
        return None
    return {
        "settings": settings.model_dump(mode="json"),
        "files": [str(file) for file in plugin_files(settings)],
        "n_rows": len(trial_batch(model, opened.data.encoded, settings.train).ids_BT),
        "cache": str(libraries_folder().absolute()),
    }


def _trainer(opened: OpenedTraining, gang: Gang | None) -> Trainer:
    """Return the training loop of a run."""
    from seqgen.counting import Blend
    from seqgen.model import device_of
    from seqgen.training import Trainer

    settings, data, model, counts = opened.settings, opened.data, opened.model, opened.counts
    rewriter = rewriter_of(settings, data.vocabulary, opened.plugins)
    blend = None
    if counts is not None:
        word_V = data.vocabulary.word_V() if settings.train.exponents == "words" else None
        blend = Blend(model, counts.graph, counts.records, word_V=word_V).to(device_of(model))
    return Trainer(
        model, data.encoded, data.vocabulary, settings.train, opened.folder, draw_of(settings, data.vocabulary),
        settings.engine, rewriter, blend, settings.refit, settings.look_back, gang,
    )  # fmt: skip


def _notify(listener: Listener, folder: RunFolder, event: Any, stop: StopFlag) -> None:
    """Call a listener; one that raises KeyboardInterrupt stops the run as a signal does."""
    try:
        listener(folder, event)
    except KeyboardInterrupt:
        stop.signal_number = stop.signal_number or signal.SIGINT


def _fail(error: BaseException, trainer: Any, opened: OpenedTraining) -> None:
    """Save a run that an exception has ended, and raise the error for the user if it needs other words.

    Raises:
        UsageError: memory ran out.
        PluginError: a plugin's code failed.
        DiskError: the disk is full or refuses.
    """
    folder, settings, plugins = opened.folder, opened.settings, opened.plugins
    refused = isinstance(error, SeqgenError) and not isinstance(error, PluginError)
    saved = "" if refused else _save_after_failure(trainer, folder, settings)  # first: a callback may fail too
    then = f"; {saved}" if saved else ""
    plugins.emit("on_run_end", path=folder.path, reason="diverged" if isinstance(error, Diverged) else "failed")
    if isinstance(error, DiskError) and (steps := folder.steps()):
        way = how_to_continue(folder, settings)
        raise DiskError(f"{error}; step {steps[-1]:,} is saved, {way}") from error
    if is_out_of_memory(error):
        raise UsageError(f"memory ran out: {one_line(error)}; {saved or LESS_MEMORY}") from error
    if line := str(error) if isinstance(error, PluginError) else plugins.describe_failure(error):
        raise PluginError(line + then) from error
    if saved:
        error.add_note(SAVED_NOTE + saved)


# -- after a failure


def _save_after_failure(trainer: Any, folder: RunFolder, settings: RunSettings) -> str:
    """Save a run that an exception has ended; return a clause for its message, "" before the first step."""
    step = trainer.state.step
    if not step:
        return ""
    try:
        trainer.save_if_new()
    except Exception as refused:  # which must not take the place of the first
        return f"step {step:,} could not be saved: {one_line(refused)}"
    return f"step {step:,} is saved, {how_to_continue(folder, settings)}"


def how_to_continue(folder: RunFolder, settings: RunSettings, *, ended: bool = False) -> str:
    """Return the clause of a message that says how to continue an aborted run.

    Args:
        folder: the run's.
        settings: the content of its run.json.
        ended: whether its training is over; it may still be refitted.
    """
    from seqgen.render.progress import in_ipython

    path = shlex.quote(str(folder.path))
    if ended and not settings.train.refit:
        return f"the run is complete: {path}"
    given = given_parts(settings)
    if given or (in_ipython() and not plugin_files(settings)):
        more = f", plugins=[{given}]" if given else ""
        return f"continue with: seqgen.resume({str(folder.path)!r}{more})"
    return f"continue with: seqgen resume {path}{plugin_options(settings.plugins)}"


@contextlib.contextmanager
def _explaining(opened: OpenedTraining) -> Iterator[None]:
    """Add to the error of a lost worker how to continue, to that of a refused step the records of its batch."""
    try:
        yield
    except WorkerLost as error:
        raise WorkerLost(f"{error}; {how_to_continue(opened.folder, opened.settings)}") from None
    except Diverged as error:
        if not error.batch_indices:
            raise
        batch = _describe_batch(error.batch_indices, opened.settings, opened.plugins)
        raise Diverged(f"{error}; its batch: {batch}", error.step, error.batch_indices) from None


def _describe_batch(indices: Sequence[int], settings: RunSettings, plugins: Plugins) -> str:
    """Return the records of a batch by their numbers in the corpus from 1, or in the training part if it is gone."""
    what = "symbols" if settings.corpus.layout == "stream" else "records"
    where, numbers = f"{what} of the training part", [place + 1 for place in indices]
    if what == "records":
        with contextlib.suppress(SeqgenError):
            numbers, where = _in_corpus(indices, settings, plugins), "records of the corpus"
    shown = ", ".join(map(str, sorted(numbers)[:_MAX_SHOWN]))
    more = f" and {len(numbers) - _MAX_SHOWN} more" if len(numbers) > _MAX_SHOWN else ""
    return f"{where} {shown}{more}"


def _in_corpus(indices: Sequence[int], settings: RunSettings, plugins: Plugins) -> list[int]:
    """Return the numbers in the corpus, from 1, of records of the training part."""
    splitter, wanted, numbers = settings.splitter, sorted(set(indices)), list[int]()
    training = (n for n, record in enumerate(corpus_of(settings, plugins), 1) if splitter.part(record) == "train")
    for place, number in enumerate(training):
        if place == wanted[len(numbers)]:
            numbers.append(number)
            if len(numbers) == len(wanted):
                break
    return numbers
