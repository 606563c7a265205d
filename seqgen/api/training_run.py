"""A training run under way: the loop, the hooks of plugins, signals and failures."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.api.factories import augmentation_of
from seqgen.api.preflight import check_disk_space
from seqgen.api.recovery import how_to_continue, naming_batch, save_after_failure
from seqgen.api.run import Run
from seqgen.checkpoint import RunFolder, RunSettings, Snapshot
from seqgen.compute import computing
from seqgen.errors import (
    SAVED_NOTE,
    Diverged,
    Interrupted,
    PluginError,
    SeqgenError,
    UsageError,
    is_out_of_memory,
    one_line,
)
from seqgen.plugins import Plugins
from seqgen.signals import StopFlag

if TYPE_CHECKING:
    from seqgen.counting import Counts
    from seqgen.render.progress import Listener
    from seqgen.sampling import Sample


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


def run_training(opened: OpenedTraining, listener: Listener | None) -> Run:
    """Train a model in its run folder, from a checkpoint if there is one.

    Args:
        opened: the run.
        listener: called with the folder and each event; if it raises KeyboardInterrupt, the run stops.

    Raises:
        Diverged: the loss is not finite; the last good checkpoint stays.
        Interrupted: a signal came; the run is saved and can be resumed.
        DiskError: the disk is full or refuses.
    """
    from seqgen.batches import Rewriter
    from seqgen.config import SampleConfig
    from seqgen.counting import Blend
    from seqgen.model import device_of
    from seqgen.sampling import Sampler
    from seqgen.training import Ended, Report, Saved, Started, Trainer

    folder, settings, plugins, data = opened.folder, opened.settings, opened.plugins, opened.data
    model, warn, stop, snapshot = opened.model, opened.warn, opened.stop, opened.snapshot

    def draw(predictor: Any, seed: int, check: Callable[[], None]) -> list[Sample]:
        wanted = SampleConfig(seed=seed, max_length=settings.max_length)
        sampler = Sampler(predictor, data.vocabulary, wanted, multiline=settings.corpus.multiline)
        return list(sampler.take(settings.train.samples, check))

    with naming_batch(settings, plugins), computing(settings.engine.threads):
        augment = augmentation_of(settings, plugins)
        rewriter = None if augment is None else Rewriter(augment, data.vocabulary, settings.train.seed)
        blend = (
            None
            if opened.counts is None
            else Blend(model, opened.counts.graph, opened.counts.records).to(device_of(model))
        )
        trainer = Trainer(
            model, data.encoded, data.vocabulary, settings.train, folder, draw, settings.engine, rewriter, blend,
            settings.refit,
        )  # fmt: skip
        for line in trainer.restore(snapshot):
            warn(f"{line}; the run continues, and the log is appended to as it is")
        if snapshot is None and settings.start is not None:
            trainer.state.require_initial_evaluation()
        check_disk_space(folder, model, warn)
        plugins.emit("on_run_start", path=folder.path, settings=settings.model_dump(mode="json"))
        started = Started(settings, trainer.state.step, data.survey.quality_notes())
        try:
            for event in itertools.chain([started], trainer.events(stop)):
                if isinstance(event, Report):
                    plugins.emit("on_report", path=folder.path, metrics=dict(event.metrics))
                elif isinstance(event, Saved):
                    plugins.emit("on_checkpoint", path=folder.path, step=event.step, checkpoint=event.path)
                elif isinstance(event, Ended):
                    plugins.emit("on_run_end", path=folder.path, reason=event.reason)
                if listener is not None:
                    _notify(listener, folder, event, stop)
        except KeyboardInterrupt:  # the second; the first has set the flag
            line = f"stopped at once after step {trainer.state.step:,}; what was saved before is there"
            raise Interrupted(signal.SIGINT, line, Run(folder, settings, plugins)) from None
        except (Exception, SystemExit) as error:
            _fail(error, trainer, folder, settings, plugins)
            raise
    if stop.signal_number:
        line = f"stopped at step {trainer.state.step:,}, saved"
        then = how_to_continue(folder, settings, ended=bool(trainer.state.ended))
        raise Interrupted(stop.signal_number, f"{line}; {then}", Run(folder, settings, plugins))
    return Run(folder, settings, plugins)


def _notify(listener: Listener, folder: RunFolder, event: Any, stop: StopFlag) -> None:
    """Call a listener; one that raises KeyboardInterrupt stops the run as a signal does."""
    try:
        listener(folder, event)
    except KeyboardInterrupt:
        stop.signal_number = stop.signal_number or signal.SIGINT


def _fail(error: BaseException, trainer: Any, folder: RunFolder, settings: RunSettings, plugins: Plugins) -> None:
    """Save a run that an exception has ended, and raise the error for the user if it needs other words.

    Raises:
        UsageError: memory ran out.
        PluginError: a plugin's code failed.
    """
    refused = isinstance(error, SeqgenError) and not isinstance(error, PluginError)
    saved = "" if refused else save_after_failure(trainer, folder, settings)  # first: a callback may fail too
    plugins.emit("on_run_end", path=folder.path, reason="diverged" if isinstance(error, Diverged) else "failed")
    if is_out_of_memory(error):
        raise UsageError(f"memory ran out: {one_line(error)}{saved}") from error
    if line := str(error) if isinstance(error, PluginError) else plugins.describe_failure(error):
        raise PluginError(line + saved) from error
    if saved:
        error.add_note(SAVED_NOTE + saved)
