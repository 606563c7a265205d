"""From a corpus to ids: one pass to count and learn the alphabet, one to encode."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from seqgen.api.environment import ignore
from seqgen.api.survey_cache import Memo, keep_survey, read_survey, survey_memo
from seqgen.corpus import Corpus, Record, Splitter, Survey, get_stamp, survey, verify_digest
from seqgen.errors import CorpusError, UsageError
from seqgen.files import cache_folder, dump_json
from seqgen.registry import Entry

if TYPE_CHECKING:
    from seqgen.batches import Parts
    from seqgen.tokenizers import Vocabulary

Item = TypeVar("Item")
_TOLD_EVERY = 4096
_TRIED = 100  # records that a new vocabulary is tried on
_IN_MEMORY = 20_000_000  # characters, beyond which the ids go to files
Progress = Callable[[str, int, int | None], None]
"""Is told what is being done, how many records are done, and how many there are, if that is known."""


def no_progress(what: str, done: int, total: int | None) -> None:
    """Progress that nobody listens to."""


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
    encoded: Parts

    @property
    def longest_symbols(self) -> int:
        """Symbols of the longest training record."""
        train = self.encoded["train"]
        return len(train) if not self.vocabulary.ends else int(train.lengths_N.max()) - 2  # type: ignore[union-attr]


@contextlib.contextmanager
def unchanging(corpus: Corpus, title: str) -> Iterator[None]:
    """Within it a corpus is read several times, and refused if its files change meanwhile.

    Raises:
        CorpusError: they did; what else went wrong is then of no account.
    """
    before = get_stamp(corpus.source)
    changed = CorpusError(f"the corpus {title!r} changed while it was read: try again when it is at rest")
    try:
        yield
    except (CorpusError, UsageError):
        if get_stamp(corpus.source) != before:
            raise changed from None
        raise
    if get_stamp(corpus.source) != before:
        raise changed


def learn(
    corpus: Corpus,
    title: str,
    tokenizer: Entry,
    options: Mapping[str, Any],
    splitter: Splitter,
    conditions: Sequence[str] = (),
    progress: Progress = no_progress,
    begun: Vocabulary | None = None,
    warn: Callable[[str], None] = ignore,
    tried: Callable[[Vocabulary, Sequence[str]], None] = lambda vocabulary, texts: None,
) -> Data:
    """Count a corpus, fit its tokenizer and encode it.

    Args:
        corpus: the corpus.
        title: how messages call it.
        tokenizer: what is fitted.
        options: of it.
        splitter: tells the part of each record.
        conditions: "label", or fields, that the model is told.
        progress: is told how far reading is.
        begun: symbols that are learned already; new ones come beside them.
        warn: is passed one line when an encoded corpus that was kept is damaged.
        tried: tries a vocabulary that is new on the first texts, before all are encoded.

    Raises:
        CorpusError: it is unreadable, empty or has no training part.
        UsageError: it cannot be conditioned in this way.
    """
    from seqgen.tokenizers import Vocabulary, extend_conditions, extend_tokenizer

    make = tokenizer.load()
    surveyed = survey_memo(corpus)
    learned = Memo(corpus, _learned_facts(tokenizer, options, splitter, conditions, begun))
    known = read_survey(surveyed), learned.read()
    if known[0] is not None and known[1] is not None:
        vocabulary = Vocabulary(make.from_json(known[1]["data"]), tuple(known[1]["tokens"]), corpus.layout == "lines")
        return encode_with(corpus, title, vocabulary, splitter, known[0], progress, warn=warn)
    counted, kept = Survey(), list[Record]()
    passing = survey(corpus, title, counted, conditions, needed=begun is None, kept=kept, progress=_reading(progress))
    first = list(itertools.islice(passing, _TRIED))
    texts = itertools.chain(first, passing)
    if begun is not None:
        fitted = extend_tokenizer(begun.tokenizer, texts, options)
    elif hasattr(make, "fit_parts"):
        fitted = make.fit_parts(texts, _training_texts(corpus, splitter, counted, progress), **options)
    else:
        fitted = make.fit(texts, **options)
    for _ in texts:  # a tokenizer may need only some of the texts; the count needs all
        pass
    tokens = extend_conditions(begun.conditions if begun is not None else (), counted.values)
    vocabulary = Vocabulary(fitted, tokens, ends=corpus.layout == "lines")
    tried(vocabulary, first)
    if counted.n_chars > _IN_MEMORY:
        keep_survey(surveyed, counted)
        learned.keep({"data": fitted.to_json(), "tokens": tokens})
    try:
        return encode_with(corpus, title, vocabulary, splitter, counted, progress, kept, warn)
    except UsageError as error:
        if begun is None or isinstance(error, CorpusError):
            raise
        raise UsageError(f"{error}; a {tokenizer.spec.name} tokenizer that has learned cannot take in others") from None


def _learned_facts(
    tokenizer: Entry,
    options: Mapping[str, Any],
    splitter: Splitter,
    conditions: Sequence[str],
    begun: Vocabulary | None,
) -> dict[str, Any]:
    """What a tokenizer and the values of conditions depend on, beside the corpus."""
    return {
        "tokenizer": tokenizer.qualified,
        "code": _code(tokenizer.load()),
        "options": dict(options),
        "split": [*splitter.shares, splitter.seed],
        "conditions": list(conditions),
        **({} if begun is None else {"begun": [begun.tokenizer.to_json(), list(begun.conditions)]}),
    }


def _code(tokenizer: type) -> str:
    """A digest of the file that a tokenizer is written in; "" for one that is in no file, as in a notebook."""
    try:
        return hashlib.sha256(Path(inspect.getfile(tokenizer)).read_bytes()).hexdigest()
    except (OSError, TypeError):
        return ""


def _training_texts(corpus: Corpus, splitter: Splitter, counted: Survey, progress: Progress) -> Iterator[str]:
    """The texts of the training part; of one long text, its pieces as far as that goes."""
    left = splitter.ends(counted.n_chars)["train"]
    for record in _told(corpus, "learning symbols", counted.n_records, progress):
        if corpus.layout == "lines" or record.split is not None:
            if splitter.part(record) == "train":
                yield record.text
        elif left > 0:
            yield record.text[:left]
            left -= len(record.text)


def _reading(progress: Progress) -> Callable[[int], None]:
    """Tells how many records have been read."""
    return lambda n_done: progress("reading", n_done, None)


def _told(items: Iterable[Item], what: str, total: int | None, progress: Progress) -> Iterator[Item]:
    """The items, told how many have passed."""
    for n_done, item in enumerate(items):
        if n_done % _TOLD_EVERY == 0:
            progress(what, n_done, total)
        yield item


def encode_with(
    corpus: Corpus,
    title: str,
    vocabulary: Vocabulary,
    splitter: Splitter,
    counted: Survey,
    progress: Progress = no_progress,
    kept: Sequence[Record] = (),
    warn: Callable[[str], None] = ignore,
) -> Data:
    """Encode a corpus that has been counted, with a vocabulary that is known already.

    One that is large is encoded into files, once: see ``seqgen.batches.cache``. ``kept`` are its records, if they
    have been kept; else it is read again, and refused if its digest is not what was counted. ``warn`` is passed one
    line when the files are damaged, and made anew.

    Raises:
        CorpusError: it is unreadable, empty or has no training part.
    """
    from seqgen.batches import cached, encode, encode_stream
    from seqgen.batches.encoding import MakeSink, make_memory_sink

    def records() -> Iterable[Record]:
        return kept if len(kept) == counted.n_records else verify_digest(corpus, title, counted.digest)

    def told(n_done: int) -> None:
        progress("encoding", n_done, counted.n_records)

    def build(make_sink: MakeSink) -> Parts:
        if vocabulary.ends:
            return encode(records(), vocabulary, splitter, make_sink, told)
        return encode_stream(records(), counted.n_chars, vocabulary, splitter, make_sink, told)

    if counted.n_chars <= _IN_MEMORY:
        encoded = build(make_memory_sink)
    else:
        try:
            encoded = cached(cache_folder("encoded"), _facts(counted, vocabulary, splitter), build, warn)
        except CorpusError:
            survey_memo(corpus).keep(None)  # its source took a change for none
            raise
    if not len(encoded["train"]):
        raise CorpusError(f"corpus {title!r} has no record in its training part; try --split none")
    return Data(counted, vocabulary, encoded)


def count(corpus: Corpus, title: str, progress: Progress = no_progress) -> Survey:
    """The counts of a corpus, which is read through for them unless they are known."""
    memo = survey_memo(corpus)
    if (known := read_survey(memo)) is not None:
        return known
    counted = Survey()
    for _ in survey(corpus, title, counted, progress=_reading(progress)):
        pass
    if counted.n_chars > _IN_MEMORY:
        keep_survey(memo, counted)
    return counted


def _facts(counted: Survey, vocabulary: Vocabulary, splitter: Splitter) -> dict[str, Any]:
    """All that the ids of a corpus depend on."""
    tokenizer = vocabulary.tokenizer
    code = _code(type(tokenizer)).encode()
    return {
        "digest": counted.digest,
        "tokenizer": hashlib.sha256(dump_json(tokenizer.to_json()) + code).hexdigest(),
        "conditions": list(vocabulary.conditions),
        "ends": vocabulary.ends,
        "shares": list(splitter.shares),
        "split_seed": splitter.seed,
    }
