"""A training under way: the trainer, those who listen, and signals."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from seqgen.api.data import Data
from seqgen.api.environment import computing
from seqgen.api.factories import augmentation_of
from seqgen.api.recovery import rescued, told_batch, way_on
from seqgen.api.resource_checks import warn_of_little_room
from seqgen.api.run import Run
from seqgen.checkpoint import RunFolder, RunSettings, Snapshot
from seqgen.errors import SAVED_NOTE, Diverged, Interrupted, PluginError, SeqgenError, UsageError, is_out_of_memory
from seqgen.plugins import Plugins
from seqgen.registry import one_line
from seqgen.signals import StopFlag

if TYPE_CHECKING:
    from seqgen.training import Event

Listener = Callable[[RunFolder, "Event"], None]


def go(
    folder: RunFolder,
    settings: RunSettings,
    plugins: Plugins,
    data: Data,
    model: Any,
    listener: Listener | None,
    warn: Callable[[str], None],
    stop: StopFlag,
    snapshot: Snapshot | None = None,
) -> Run:
    """Train a model, set to its engine, in its run folder, from a checkpoint if there is one.

    Args:
        folder: the run folder, locked.
        settings: the content of its run.json.
        plugins: are told of what happens.
        data: the encoded corpus.
        model: the model.
        listener: is told too.
        warn: is told, in one line, when the disk has little room.
        stop: is set when a signal comes, or the listener raises KeyboardInterrupt; whoever makes the folder looks out
            for it from then on.
        snapshot: the checkpoint to go on from.

    Raises:
        Diverged: the loss is not finite; the last good checkpoint stays.
        Interrupted: a signal came; the run is saved and can be resumed.
        DiskError: the disk refused.
    """
    from seqgen.batches import Rewriter
    from seqgen.sampling import Sample, Sampler, SampleSettings
    from seqgen.training import Started, Trainer

    def draw(seed: int, check: Callable[[], None]) -> list[Sample]:
        wanted = SampleSettings(seed=seed, max_length=settings.max_length)
        sampler = Sampler(model, data.vocabulary, wanted, multiline=settings.corpus.multiline)
        return list(sampler.take(settings.train.samples, check))

    with told_batch(settings, plugins), computing(settings.engine.threads):
        augment = augmentation_of(settings, plugins)
        rewriter = None if augment is None else Rewriter(augment, data.vocabulary, settings.train.seed)
        trainer = Trainer(model, data.encoded, data.vocabulary, settings.train, folder, draw, settings.engine, rewriter)
        for line in trainer.restore(snapshot):
            warn(f"{line}; the run goes on, and the log is written on as it is")
        if snapshot is None and settings.start is not None:
            trainer.state.require_initial_evaluation()
        warn_of_little_room(folder, model, warn)
        plugins.emit("on_run_start", path=folder.path, settings=settings.model_dump(mode="json"))
        begun = Started(settings, trainer.state.step, data.survey.quality_notes())
        try:
            _run(itertools.chain([begun], trainer.events(stop)), folder, plugins, listener, stop)
        except KeyboardInterrupt:  # the second; the first has set the flag
            line = f"stopped at once after step {trainer.state.step:,}; what was saved before is there"
            raise Interrupted(signal.SIGINT, line, Run(folder, settings, plugins)) from None
        except (Exception, SystemExit) as error:
            refused = isinstance(error, SeqgenError) and not isinstance(error, PluginError)
            saved = "" if refused else rescued(trainer, folder, settings)  # first of all: a callback may fail too
            plugins.emit("on_run_end", path=folder.path, reason="diverged" if isinstance(error, Diverged) else "failed")
            if is_out_of_memory(error):
                raise UsageError(f"memory ran out: {one_line(error)}{saved}") from error
            if line := str(error) if isinstance(error, PluginError) else plugins.describe_failure(error):
                raise PluginError(line + saved) from error
            if saved:
                error.add_note(SAVED_NOTE + saved)
            raise
    if stop.signal_number:
        line = f"stopped at step {trainer.state.step:,}, saved"
        then = way_on(folder, settings, ended=bool(trainer.state.ended))
        raise Interrupted(stop.signal_number, f"{line}; {then}", Run(folder, settings, plugins))
    return Run(folder, settings, plugins)


def _run(
    events: Iterator[Event], folder: RunFolder, plugins: Plugins, listener: Listener | None, stop: StopFlag
) -> None:
    """Train, and pass on what happens; a listener that raises KeyboardInterrupt stops the run as a signal does."""
    from seqgen.training import Ended, Report, Saved

    for event in events:
        if isinstance(event, Report):
            plugins.emit("on_report", path=folder.path, metrics=dict(event.metrics))
        elif isinstance(event, Saved):
            plugins.emit("on_checkpoint", path=folder.path, step=event.step, checkpoint=event.path)
        elif isinstance(event, Ended):
            plugins.emit("on_run_end", path=folder.path, reason=event.reason)
        if listener is not None:
            try:
                listener(folder, event)
            except KeyboardInterrupt:
                stop.signal_number = stop.signal_number or signal.SIGINT
