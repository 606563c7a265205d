"""What is looked at before a run begins, goes on or is judged: its corpus, held-out files; whose fault a slip is."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from seqgen.api.data import Data, Progress, count, encode_with, no_progress, unchanging
from seqgen.api.environment import ignore
from seqgen.checkpoint import RunSettings
from seqgen.corpus import Corpus, Splitter, Survey
from seqgen.errors import FAULT_NOTE, CorpusError, SeqgenError, UsageError, is_out_of_memory
from seqgen.registry import Entry, one_line

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary


def count_known(corpus: Corpus) -> int:
    """How many records of held-out files stand in the training part too."""
    held_out = Counter(record.text for record in corpus if record.split != "train")
    known = {record.text for record in corpus if record.split == "train" and record.text in held_out}
    return sum(held_out[text] for text in known)


@contextlib.contextmanager
def blaming(entry: Entry, problem: str) -> Iterator[None]:
    """Within it a part meets what it must cope with: what fails is its fault, and marked so, wherever it comes up.

    Args:
        entry: the part.
        problem: what is then said of it: "fails on its first batch".

    Raises:
        UsageError: it does not fit into memory.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            less = "a smaller --hidden, --batch-size or -o window= needs less"
            raise UsageError(f"{entry.label} does not fit into memory: {less} ({one_line(error)})") from error
        if not isinstance(error, SeqgenError | OSError):
            error.add_note(f"{FAULT_NOTE}{entry.full_label} {problem}")
        raise


_WAY_OUT = "restore it, or train anew"


def check_unchanged(counted: Survey, settings: RunSettings, way_out: str = _WAY_OUT) -> None:
    """Refuse to go on with a run, or to judge it, on another corpus than it began with.

    Args:
        counted: the corpus as it is now.
        settings: the run's.
        way_out: what would do, for the message.

    Raises:
        CorpusError: the corpus has changed.
    """
    if counted.digest != settings.corpus.digest:
        raise CorpusError(
            f"the corpus {settings.corpus.title!r} has changed since the run began "
            f"({settings.corpus.n_records} records then, {counted.n_records} now): {way_out}"
        )


def read_again(
    corpus: Corpus,
    settings: RunSettings,
    vocabulary: Vocabulary,
    progress: Progress = no_progress,
    *,
    warn: Callable[[str], None] = ignore,
    changed: Callable[[str], None] | None = None,
    way_out: str = _WAY_OUT,
) -> Data:
    """The corpus of a run, counted, found unchanged and encoded with its vocabulary.

    Args:
        corpus: the corpus, opened again.
        settings: the run's.
        vocabulary: the run's.
        progress: is told how far reading is.
        warn: is passed one line when an encoded corpus that was kept is damaged.
        changed: is told, in one line, if it has changed; None: that is refused.
        way_out: what would do where it is refused, for the message.

    Raises:
        CorpusError: it is unreadable, or not what the run was trained on.
    """
    title = settings.corpus.title
    with unchanging(corpus, title):
        counted = count(corpus, title, progress)
        try:
            check_unchanged(counted, settings, way_out if changed is None else "the run goes on with what is there now")
        except CorpusError as error:
            if changed is None:
                raise
            changed(str(error))
        return encode_with(corpus, title, vocabulary, splitter_of(settings), counted, progress, warn=warn)


def splitter_of(settings: RunSettings) -> Splitter:
    """How a run's records are split."""
    return Splitter(settings.train.split, settings.train.split_seed)
