"""A training that is broken off: what is told of the batch, what is saved, and how to go on."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from seqgen.api.corpus_checks import splitter_of
from seqgen.api.factories import corpus_of, given_parts, plugin_options
from seqgen.checkpoint import RunFolder, RunSettings
from seqgen.errors import Diverged, SeqgenError
from seqgen.plugins import Plugins
from seqgen.registry import one_line

_TOLD_RECORDS = 64  # of a batch that was refused


def rescued(trainer: Any, folder: RunFolder, settings: RunSettings) -> str:
    """Save a run that an exception has ended; a clause for its message, "" before the first step.

    Args:
        trainer: the run's.
        folder: the run's.
        settings: the content of its run.json.
    """
    step = trainer.state.step
    if not step:
        return ""
    try:
        trainer.save_if_new()
    except Exception as refused:  # which must not take the place of the first
        return f"; step {step:,} could not be saved: {one_line(refused)}"
    return f"; step {step:,} is saved, {way_on(folder, settings)}"


def way_on(folder: RunFolder, settings: RunSettings, *, ended: bool = False) -> str:
    """What can be done with a run that was broken off.

    Args:
        folder: the run's.
        settings: the content of its run.json.
        ended: whether there is nothing left to do.
    """
    path = shlex.quote(str(folder.path))
    if ended:
        return f"the run is complete: {path}"
    if given := given_parts(settings):
        return f"go on with: seqgen.resume({str(folder.path)!r}, plugins=[{given}])"
    return f"go on with: seqgen resume {path}{plugin_options(settings)}"


@contextlib.contextmanager
def told_batch(settings: RunSettings, plugins: Plugins) -> Iterator[None]:
    """Within it a step that is refused is told with the records of its batch, by their numbers in the corpus from 1."""
    try:
        yield
    except Diverged as error:
        if not error.batch_indices:
            raise
        what = "symbols" if settings.corpus.layout == "stream" else "records"
        where = f"{what} of the training part"
        numbers = [place + 1 for place in error.batch_indices]
        if what == "records":
            with contextlib.suppress(SeqgenError):  # the corpus is gone: its parts are all that can be told
                numbers, where = _in_corpus(error.batch_indices, settings, plugins), "records of the corpus"
        shown = ", ".join(map(str, sorted(numbers)[:_TOLD_RECORDS]))
        more = f" and {len(numbers) - _TOLD_RECORDS} more" if len(numbers) > _TOLD_RECORDS else ""
        raise Diverged(f"{error}; its batch: {where} {shown}{more}", error.step, error.batch_indices) from None


def _in_corpus(indices: Sequence[int], settings: RunSettings, plugins: Plugins) -> list[int]:
    """Where records of the training part stand in the corpus, from 1."""
    splitter, wanted, numbers = splitter_of(settings), sorted(set(indices)), list[int]()
    training = (n for n, record in enumerate(corpus_of(settings, plugins), 1) if splitter.part(record) == "train")
    for place, number in enumerate(training):
        if place == wanted[len(numbers)]:
            numbers.append(number)
            if len(numbers) == len(wanted):
                break
    return numbers
