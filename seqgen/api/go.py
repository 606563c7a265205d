"""A training under way: the trainer, those who listen, and signals."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seqgen.api.data import Data
from seqgen.api.parts import augmentation_of, corpus_of
from seqgen.api.prepare import splitter_of
from seqgen.api.run import Run
from seqgen.api.setup import computing
from seqgen.checkpoint import RunFolder, RunSettings, Snapshot
from seqgen.errors import Diverged, Interrupted, PluginError, SeqgenError
from seqgen.plugins import Plugins
from seqgen.registry import one_line

if TYPE_CHECKING:
    from seqgen.training import Event

_TOLD_RECORDS = 64  # of a batch that was refused
Listener = Callable[[RunFolder, "Event"], None]


def go(
    folder: RunFolder,
    settings: RunSettings,
    plugins: Plugins,
    data: Data,
    model: Any,
    listener: Listener | None,
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
        snapshot: the checkpoint to go on from.

    Raises:
        Diverged: the loss is not finite; the last good checkpoint stays.
        Interrupted: a signal came; the run is saved and can be resumed.
        DiskError: the disk refused.
    """
    from seqgen.batches import Rewriter
    from seqgen.sampling import Sample, Sampler, SampleSettings
    from seqgen.training import Ended, Report, Saved, Started, Trainer, graceful_stop

    def draw(seed: int, check: Callable[[], None]) -> list[Sample]:
        wanted = SampleSettings(seed=seed, max_length=settings.max_length)
        sampler = Sampler(model, data.vocabulary, wanted, multiline=settings.corpus.multiline)
        return list(sampler.take(settings.train.samples, check))

    with told_batch(settings, plugins), computing(settings.engine.threads), graceful_stop() as stop:
        augment = augmentation_of(settings, plugins)
        rewriter = None if augment is None else Rewriter(augment, data.vocabulary, settings.train.seed)
        trainer = Trainer(model, data.encoded, data.vocabulary, settings.train, folder, draw, settings.engine, rewriter)
        trainer.restore(snapshot)
        plugins.event("on_run_start", path=folder.path, settings=settings.model_dump(mode="json"))
        if listener is not None:
            listener(folder, Started(settings, trainer.state.step, data.survey.remarks()))
        try:
            for event in trainer.events(stop):
                if isinstance(event, Report):
                    plugins.event("on_report", path=folder.path, metrics=event.metrics)
                elif isinstance(event, Saved):
                    plugins.event("on_checkpoint", path=folder.path, step=event.step, checkpoint=event.path)
                elif isinstance(event, Ended):
                    plugins.event("on_run_end", path=folder.path, reason=event.reason)
                if listener is not None:
                    listener(folder, event)
        except Diverged:
            plugins.event("on_run_end", path=folder.path, reason="diverged")
            raise
        except Exception as error:
            if not (isinstance(error, PluginError) or plugins.guilty(error)):
                raise
            raise PluginError(_rescue(trainer, folder, plugins, error)) from error
    if stop.signal_number:
        then = f"the run is complete: {_quoted(folder)}" if trainer.state.ended else _way_on(folder)
        raise Interrupted(stop.signal_number, f"stopped at step {trainer.state.step:,}, saved; {then}")
    return Run(folder, settings, plugins)


def _rescue(trainer: Any, folder: RunFolder, plugins: Plugins, error: Exception) -> str:
    """Save a run that a plugin has broken off, and say so in the line about it."""
    if isinstance(error, PluginError):
        line = str(error)
    else:
        line = f"plugin {plugins.guilty(error)} failed: {type(error).__name__}: {one_line(error)}"
    if not trainer.state.step:
        return line
    try:
        trainer.rescue()
    except SeqgenError as further:
        return f"{line}; step {trainer.state.step:,} could not be saved: {further}"
    return f"{line}; step {trainer.state.step:,} is saved, {_way_on(folder)}"


def _way_on(folder: RunFolder) -> str:
    return f"go on with: seqgen resume {_quoted(folder)}"


def _quoted(folder: RunFolder) -> str:
    return shlex.quote(str(folder.path))


@contextlib.contextmanager
def told_batch(settings: RunSettings, plugins: Plugins) -> Iterator[None]:
    """Within it a step that is refused is told with the records of its batch, by their numbers in the corpus from 1."""
    try:
        yield
    except Diverged as error:
        if not error.places:
            raise
        what = "symbols" if settings.corpus.layout == "stream" else "records"
        where = f"{what} of the training part"
        numbers = [place + 1 for place in error.places]
        if what == "records":
            with contextlib.suppress(SeqgenError):  # the corpus is gone: its parts are all that can be told
                numbers, where = _in_corpus(error.places, settings, plugins), "records of the corpus"
        shown = ", ".join(map(str, sorted(numbers)[:_TOLD_RECORDS]))
        more = f" and {len(numbers) - _TOLD_RECORDS} more" if len(numbers) > _TOLD_RECORDS else ""
        raise Diverged(f"{error}; its batch: {where} {shown}{more}", error.step, error.places) from None


def _in_corpus(places: Sequence[int], settings: RunSettings, plugins: Plugins) -> list[int]:
    """Where records of the training part stand in the corpus, from 1."""
    splitter, wanted, numbers = splitter_of(settings), sorted(set(places)), list[int]()
    training = (n for n, record in enumerate(corpus_of(settings, plugins), 1) if splitter.part(record) == "train")
    for place, number in enumerate(training):
        if place == wanted[len(numbers)]:
            numbers.append(number)
            if len(numbers) == len(wanted):
                break
    return numbers
