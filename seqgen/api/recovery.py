"""Recovery of an aborted run: the records of a refused batch, a last checkpoint, and how to continue."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from seqgen.api.factories import corpus_of
from seqgen.api.missing_plugin import given_parts, plugin_options
from seqgen.checkpoint import RunFolder, RunSettings
from seqgen.errors import Diverged, SeqgenError, one_line
from seqgen.plugins import Plugins

_MAX_SHOWN = 64  # records of a refused batch


def save_after_failure(trainer: Any, folder: RunFolder, settings: RunSettings) -> str:
    """Save a run that an exception has ended; return a clause for its message, "" before the first step.

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
    return f"; step {step:,} is saved, {how_to_continue(folder, settings)}"


def how_to_continue(folder: RunFolder, settings: RunSettings, *, ended: bool = False) -> str:
    """Return the clause of a message that says how to continue an aborted run.

    Args:
        folder: the run's.
        settings: the content of its run.json.
        ended: whether the run is complete.
    """
    path = shlex.quote(str(folder.path))
    if ended:
        return f"the run is complete: {path}"
    if given := given_parts(settings):
        return f"continue with: seqgen.resume({str(folder.path)!r}, plugins=[{given}])"
    return f"continue with: seqgen resume {path}{plugin_options(settings)}"


@contextlib.contextmanager
def naming_batch(settings: RunSettings, plugins: Plugins) -> Iterator[None]:
    """Add to the error of a refused step the records of its batch, by their numbers in the corpus from 1."""
    try:
        yield
    except Diverged as error:
        if not error.batch_indices:
            raise
        what = "symbols" if settings.corpus.layout == "stream" else "records"
        where = f"{what} of the training part"
        numbers = [place + 1 for place in error.batch_indices]
        if what == "records":
            with contextlib.suppress(
                SeqgenError
            ):  # the corpus is gone: the numbers within the part are all that is known
                numbers, where = _in_corpus(error.batch_indices, settings, plugins), "records of the corpus"
        shown = ", ".join(map(str, sorted(numbers)[:_MAX_SHOWN]))
        more = f" and {len(numbers) - _MAX_SHOWN} more" if len(numbers) > _MAX_SHOWN else ""
        raise Diverged(f"{error}; its batch: {where} {shown}{more}", error.step, error.batch_indices) from None


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
