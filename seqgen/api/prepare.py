"""What is looked at before a run begins, goes on or is judged: its first batch, its corpus, its held-out files."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from seqgen.api.data import Data, Progress, count, encode_with, no_progress, unchanging
from seqgen.api.setup import computing
from seqgen.checkpoint import RunSettings
from seqgen.corpus import Corpus, Splitter, Survey
from seqgen.errors import BLAMED, CorpusError, PluginError, SeqgenError
from seqgen.registry import Entry

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary


_NEAR = 1e-3  # by which the logits of two ways may differ, relative to the largest


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
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, SeqgenError | MemoryError | OSError):
            error.add_note(f"{BLAMED}{entry.who} {problem}")
        raise


def try_out(model: Any, data: Data, entry: Entry, layer: Entry) -> None:
    """Run the model once, so that a part that cannot work, or whose losses would mean nothing, is told before a run.

    Args:
        model: on the CPU.
        data: the corpus.
        entry: the model's.
        layer: that of its cell, if it is made of such.

    Raises:
        PluginError: the logits or the state have the wrong shape; the state that is given is changed; a step depends on
            later symbols, or a row on others; a sequence that is read in two pieces comes out another.
    """
    import torch

    from seqgen.batches import make_feed
    from seqgen.cells import list_leaves

    train = data.encoded["train"]
    ids_BT = make_feed(train, batch_size=2, window=8, seed=0).trial().ids_BT
    n_rows, n_steps = ids_BT.shape
    model.eval()
    with computing(), torch.no_grad():
        start = model.initial_state(n_rows)
        for leaf in list_leaves(start):
            if leaf.shape[:1] != (n_rows,):
                raise PluginError(f"{layer.who}: initial_state({n_rows}) has a tensor {tuple(leaf.shape)}, batch first")
        before = [leaf.clone() for leaf in list_leaves(start)]
        logits_BTV, _ = model(ids_BT, start)
        if not all(torch.equal(was, is_now) for was, is_now in zip(before, list_leaves(start), strict=True)):
            raise PluginError(f"{layer.who} changes the state it is given: make a new tensor, h = h + x and not h += x")
        wanted = (n_rows, n_steps, data.vocabulary.size)
        if tuple(logits_BTV.shape) != wanted:
            raise PluginError(f"{entry.who} gives logits {tuple(logits_BTV.shape)}, not {wanted}")
        cut = n_steps // 2
        early_BTV, middle = model(ids_BT[:, :cut], model.initial_state(n_rows)) if cut else (logits_BTV[:, :0], start)
        late_BTV, _ = model(ids_BT[:, cut:], middle)
        again_BTV, _ = model(ids_BT, model.initial_state(n_rows))
        alone_BTV, _ = model(ids_BT[:1], model.initial_state(1))
    model.train()
    limit = _NEAR * (1 + logits_BTV[logits_BTV.isfinite()].abs().amax()) if logits_BTV.isfinite().any() else 0.0
    for found, expected, problem in (
        (again_BTV, logits_BTV, "gives something else each time, though it is not being trained"),
        (
            early_BTV,
            logits_BTV[:, :cut],
            "looks ahead: what it gives at a step depends on later ones, so losses say nothing",
        ),
        (late_BTV, logits_BTV[:, cut:], "gives something else when a sequence is read in two pieces, as in sampling"),
        (alone_BTV, logits_BTV[:1], "mixes rows: what it gives for one depends on the others of its batch"),
    ):
        # What is not a number is told of in training; the same infinity on both sides is no difference.
        if bool(((found - expected).abs() > limit).any()) or bool((found.isinf() != expected.isinf()).any()):
            raise PluginError(f"{layer.who} {problem} (seqgen plugins check finds out more)")


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
    changed: Callable[[str], None] | None = None,
    way_out: str = _WAY_OUT,
) -> Data:
    """The corpus of a run, counted, found unchanged and encoded with its vocabulary.

    Args:
        corpus: the corpus, opened again.
        settings: the run's.
        vocabulary: the run's.
        progress: is told how far reading is.
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
        return encode_with(corpus, title, vocabulary, splitter_of(settings), counted, progress)


def splitter_of(settings: RunSettings) -> Splitter:
    """How a run's records are split."""
    return Splitter(settings.train.split, settings.train.split_seed)
