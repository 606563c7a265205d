"""From a recipe to data: one pass to count and learn the alphabet, one to encode."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqgen.api.setup import computing
from seqgen.checkpoint import RunSettings
from seqgen.corpus import Corpus, Splitter, Survey, survey
from seqgen.errors import BLAMED, CorpusError, PluginError, SeqgenError
from seqgen.registry import Entry

if TYPE_CHECKING:
    from seqgen.batches import Encoded
    from seqgen.tokenizers import Vocabulary


@dataclass(frozen=True)
class Data:
    """A corpus, counted and encoded.

    Attributes:
        survey: its counts and digest.
        vocabulary: its symbols.
        encoded: its parts.
    """

    survey: Survey
    vocabulary: Vocabulary
    encoded: Mapping[str, Encoded]

    @property
    def longest_symbols(self) -> int:
        """Symbols of the longest training record."""
        return int(self.encoded["train"].lengths_N.max()) - 2


def learn(corpus: Corpus, title: str, tokenizer: Entry, options: Mapping[str, Any], splitter: Splitter) -> Data:
    """Count a corpus, fit its tokenizer and encode it.

    Raises:
        CorpusError: it is unreadable, empty or has no training part.
    """
    from seqgen.tokenizers import Vocabulary

    counted = Survey()
    texts = survey(corpus, title, counted)
    fitted = tokenizer.load().fit(texts, **options)
    for _ in texts:  # a tokenizer may need only some of the texts; the count needs all
        pass
    return encode_with(corpus, title, Vocabulary(fitted), splitter, counted)


def encode_with(
    corpus: Corpus, title: str, vocabulary: Vocabulary, splitter: Splitter, counted: Survey | None = None
) -> Data:
    """Encode a corpus with a vocabulary that is known already, counting it on the way if need be.

    Raises:
        CorpusError: it is unreadable, empty or has no training part.
    """
    from seqgen.batches import encode

    if counted is None:
        counted = Survey()
        for _ in survey(corpus, title, counted):
            pass
    encoded = encode(corpus, vocabulary, splitter)
    if not len(encoded["train"]):
        raise CorpusError(f"corpus {title!r} has no record in its training part; try --split none")
    return Data(counted, vocabulary, encoded)


def count_known(corpus: Corpus) -> int:
    """How many records of held-out files stand in the training part too."""
    held_out = Counter(record.text for record in corpus if record.split != "train")
    known = {record.text for record in corpus if record.split == "train" and record.text in held_out}
    return sum(held_out[text] for text in known)


@contextlib.contextmanager
def trying(entry: Entry) -> Iterator[None]:
    """Within it a part meets its first batch: what fails is its fault, and marked so, wherever it comes up."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, SeqgenError | MemoryError):
            error.add_note(f"{BLAMED}{entry.what} of {entry.package} fails on its first batch")
        raise


def try_out(model: Any, data: Data, entry: Entry) -> None:
    """Run the model once, so that a part that cannot work is told before there is a run folder.

    Raises:
        PluginError: the logits have the wrong shape.
    """
    import numpy
    import torch

    ids_BT = data.encoded["train"].take(numpy.arange(min(2, len(data.encoded["train"])))).ids_BT
    model.eval()
    with computing(), torch.no_grad():
        logits_BTV, _ = model(ids_BT, model.initial_state(len(ids_BT)))
    model.train()
    wanted = (*ids_BT.shape, data.vocabulary.size)
    if tuple(logits_BTV.shape) != wanted:
        raise PluginError(f"{entry.what} of {entry.package} gives logits {tuple(logits_BTV.shape)}, not {wanted}")


def check_unchanged(data: Data, settings: RunSettings) -> None:
    """Refuse to go on with a run, or to judge it, on another corpus than it began with.

    Raises:
        CorpusError: the corpus has changed.
    """
    if data.survey.digest != settings.corpus.digest:
        raise CorpusError(
            f"the corpus {settings.corpus.title!r} has changed since the run began "
            f"({settings.corpus.n_records} records then, {data.survey.n_records} now): restore it, or train anew"
        )


def splitter_of(settings: RunSettings) -> Splitter:
    """How a run's records are split."""
    return Splitter(settings.train.split, settings.train.split_seed)
