"""A corpus counted and encoded: one pass to count and to fit the tokenizer, one to encode; cached if it is large.

A run that is opened has its corpus read again, and is refused if it has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from seqgen.corpus import (
    Corpus,
    Record,
    Splitter,
    Survey,
    Table,
    count_of,
    file_notes,
    get_source_files,
    get_stamp,
    survey,
    verify_digest,
    without_training_part,
)
from seqgen.divided_corpus import DividedCorpus
from seqgen.errors import CorpusError, NoSuchFile, UsageError
from seqgen.files import ReadingCache, cache_folder, code_digest, dump_json
from seqgen.protocols import fits_parts, joins
from seqgen.registry import Entry

if TYPE_CHECKING:
    from seqgen.batches import Parts
    from seqgen.checkpoint import RunSettings
    from seqgen.plugins import Plugins
    from seqgen.tokenizers import Vocabulary


_REPORT_EVERY = 4096
_TRIED = 100  # records that a new vocabulary is tried on
_IN_MEMORY = 20_000_000  # characters, beyond which the ids go to files
Progress = Callable[[str, int, int | None], None]
"""Callback of (activity, records done, records in total or None)."""


def ignore(*_: object) -> None:
    """Ignore a warning, or progress."""


@dataclass(frozen=True)
class EncodedCorpus:
    """A corpus, counted and encoded.

    Attributes:
        survey: its counts and digest.
        vocabulary: its symbols.
        encoded: its parts.
        remarks: notes on the files and the records, a few words for each.
    """

    survey: Survey
    vocabulary: Vocabulary
    encoded: Parts
    remarks: Sequence[str] = ()

    @property
    def longest_symbols(self) -> int:
        """The number of symbols of the longest training record."""
        train = self.encoded["train"]
        return len(train) if not self.vocabulary.ends else train.longest - 2  # type: ignore[union-attr]


@contextlib.contextmanager
def unchanging(corpus: Corpus, title: str) -> Iterator[None]:
    """Refuse a corpus whose files change while it is read several times.

    Raises:
        CorpusError: they changed, whatever else went wrong.
    """
    before = get_stamp(corpus.source)
    changed = CorpusError(f"the corpus {title!r} changed while it was read: try again when its files no longer change")
    try:
        yield
    except (CorpusError, UsageError):
        if get_stamp(corpus.source) != before:
            raise changed from None
        raise
    if get_stamp(corpus.source) != before:
        raise changed


@contextlib.contextmanager
def missing_corpus(run: str) -> Iterator[None]:
    """Add to the error of a file that is gone that a run was trained on it, and what to do.

    Args:
        run: the name of the run.

    Raises:
        NoSuchFile: a NoSuchFile was raised inside the context.
    """
    try:
        yield
    except NoSuchFile as error:
        raise NoSuchFile(f"{error}, on which the run {run} was trained; put it back there, or a link to it") from None


@dataclass(frozen=True)
class CorpusReading:
    """A corpus that is counted and encoded, which takes several passes.

    Attributes:
        corpus: the corpus.
        title: how messages call it.
        progress: called while reading.
        warn: called with one line when the cached encoded corpus is damaged.
        divided: the corpus in parts, if several processes read it.

    Raises (by its methods):
        CorpusError: it is unreadable or empty, or has no training part to encode.
    """

    corpus: Corpus
    title: str
    progress: Progress = ignore
    warn: Callable[[str], None] = ignore
    divided: DividedCorpus | None = None

    def count(self) -> Survey:
        """Return the counts; the corpus is read through unless they are cached."""
        cache = open_survey_cache(self.corpus)
        if (known := _read_survey(cache)) is not None:
            return known
        counted = Survey()
        if self.divided is not None:
            self.divided.count(counted, progress=self._on_read)
        else:
            for _ in survey(self.corpus, self.title, counted, progress=self._on_read):
                pass
        if counted.n_chars > _IN_MEMORY:
            _store_survey(cache, counted)
        return counted

    def learn(
        self,
        tokenizer: Entry,
        options: Mapping[str, Any],
        splitter: Splitter,
        conditions: Sequence[str] = (),
        begun: Vocabulary | None = None,
        tried: Callable[[Vocabulary, Sequence[str]], None] = lambda vocabulary, texts: None,
    ) -> EncodedCorpus:
        """Count the corpus, fit its tokenizer and encode it.

        Args:
            tokenizer: what is fitted.
            options: of it.
            splitter: assigns each record to a part.
            conditions: "label", or fields, on which the model is conditioned.
            begun: the vocabulary of the run that this one starts from; new symbols are added to it.
            tried: checks a new vocabulary on the first texts, before all are encoded.

        Raises:
            UsageError: it cannot be conditioned in this way.
        """
        from seqgen.tokenizers import Vocabulary, extend_conditions, extend_tokenizer

        corpus, make = self.corpus, tokenizer.load()
        text = corpus.source.text_field() if conditions and isinstance(corpus.source, Table) else None
        if begun is None and text in conditions:
            raise UsageError(f"cannot condition on {text!r}: it is the text itself; name another field")
        surveyed = open_survey_cache(corpus)
        learned = _cache(corpus, _learned_facts(tokenizer, options, splitter, conditions, begun))
        known = _read_survey(surveyed), learned.read()
        if known[0] is not None and known[1] is not None:
            fitted, tokens = make.from_json(known[1]["data"]), tuple(known[1]["tokens"])
            vocabulary = Vocabulary(fitted, tokens, corpus.layout == "lines", tokenizer.full_label)
            return self.encode(vocabulary, splitter, known[0])
        counted, kept = Survey(), list[Record]()
        if self.divided is not None and begun is None and joins(make):
            first = [record.text for record in itertools.islice(corpus, _TRIED)]
            found = self.divided.count(counted, options, conditions, self._on_read)
            fitted = make.join([make.from_json(data) for data in found])
        else:
            passing = survey(
                corpus, self.title, counted, conditions, needed=begun is None, kept=kept, progress=self._on_read
            )
            first = list(itertools.islice(passing, _TRIED))
            texts = itertools.chain(first, passing)
            if begun is not None:
                fitted = extend_tokenizer(begun.tokenizer, texts, options)
            elif fits_parts(make):
                fitted = make.fit_parts(texts, self._training_texts(splitter, counted), **options)
            else:
                fitted = make.fit(texts, **options)
            for _ in texts:  # a tokenizer may need only some of the texts; the count needs all
                pass
        tokens = extend_conditions(begun.conditions if begun is not None else (), counted.values)
        vocabulary = Vocabulary(fitted, tokens, corpus.layout == "lines", tokenizer.full_label)
        tried(vocabulary, first)
        if counted.n_chars > _IN_MEMORY:
            _store_survey(surveyed, counted)
            learned.store({"data": fitted.to_json(), "tokens": tokens})
        try:
            return self.encode(vocabulary, splitter, counted, kept)
        except UsageError as error:
            if begun is None or isinstance(error, CorpusError):
                raise
            raise UsageError(f"{error}; a fitted {tokenizer.spec.name} tokenizer cannot add symbols") from None

    def encode(
        self, vocabulary: Vocabulary, splitter: Splitter, counted: Survey, kept: Sequence[Record] = ()
    ) -> EncodedCorpus:
        """Encode the corpus, which has been counted; a large one into files, once: see ``seqgen.batches.cache``.

        Args:
            vocabulary: its symbols.
            splitter: assigns each record to a part.
            counted: its counts; it is refused if its digest is another when it is read again.
            kept: its records, if they have been kept.
        """
        from seqgen.batches import cached, encode, encode_stream, join_encoded
        from seqgen.encoding import MakeSink, make_memory_sink

        def records() -> Iterable[Record]:
            return kept if len(kept) == counted.n_records else verify_digest(self.corpus, self.title, counted.digest)

        def on_read(n_done: int) -> None:
            self.progress("encoding", n_done, counted.n_records)

        def build(make_sink: MakeSink) -> Parts:
            if self.divided is not None:
                pieces = self.divided.encode(vocabulary, splitter, counted.digest, on_read)
                return join_encoded(pieces, vocabulary, make_sink)
            if vocabulary.ends:
                return encode(records(), vocabulary, splitter, make_sink, on_read)
            return encode_stream(records(), counted.n_chars, vocabulary, splitter, make_sink, on_read)

        if counted.n_chars <= _IN_MEMORY:
            encoded = build(make_memory_sink)
        else:
            try:
                encoded = cached(cache_folder("encoded"), _facts(counted, vocabulary, splitter), build, self.warn)
            except CorpusError:
                open_survey_cache(self.corpus).store(None)  # its source took a change for none
                raise
        if not len(encoded["train"]):
            have = count_of(counted.n_records, "records") if vocabulary.ends else f"{counted.n_chars:,} characters"
            raise without_training_part(self.corpus, self.title, have)
        return EncodedCorpus(counted, vocabulary, encoded, [*file_notes(self.corpus.source), *counted.quality_notes()])

    def _on_read(self, n_done: int) -> None:
        """Report the number of records read."""
        self.progress("reading", n_done, None)

    def _training_texts(self, splitter: Splitter, counted: Survey) -> Iterator[str]:
        """Yield the training texts; of one long text, its pieces up to the end of the training part."""
        left = splitter.ends(counted.n_chars)["train"]
        for n_done, record in enumerate(self.corpus):
            if n_done % _REPORT_EVERY == 0:
                self.progress("learning symbols", n_done, counted.n_records)
            if self.corpus.layout == "lines" or record.split is not None:
                if splitter.part(record) == "train":
                    yield record.text
            elif left > 0:
                yield record.text[:left]
                left -= len(record.text)


def _cache(corpus: Corpus, facts: Mapping[str, Any]) -> ReadingCache:
    """Return the cache of what reading a corpus finds out; nothing is cached if its source detects no changes."""
    source = corpus.source
    return ReadingCache(get_stamp(source), get_source_files(source), {"layout": corpus.layout, **facts})


def open_survey_cache(corpus: Corpus) -> ReadingCache:
    """Return the cache of a corpus's survey; other versions of seqgen may have surveyed less."""
    return _cache(corpus, {"what": "survey", "of": [each.name for each in fields(Survey)]})


def _read_survey(cache: ReadingCache) -> Survey | None:
    try:
        found = cache.read()
        return None if found is None else Survey(**found)
    except TypeError:
        return None


def _store_survey(cache: ReadingCache, counted: Survey) -> None:
    cache.store(asdict(counted) | {"values": {}})


def _learned_facts(
    tokenizer: Entry,
    options: Mapping[str, Any],
    splitter: Splitter,
    conditions: Sequence[str],
    begun: Vocabulary | None,
) -> dict[str, Any]:
    """Return all that a tokenizer and the values of conditions depend on, except the corpus."""
    return {
        "tokenizer": tokenizer.qualified,
        "code": code_digest(tokenizer.load()),
        "options": dict(options),
        "split": [*splitter.shares, splitter.seed],
        "conditions": list(conditions),
        **({} if begun is None else {"begun": [begun.tokenizer.to_json(), list(begun.conditions)]}),
    }


def _facts(counted: Survey, vocabulary: Vocabulary, splitter: Splitter) -> dict[str, Any]:
    """Return all that the ids of a corpus depend on."""
    tokenizer = vocabulary.tokenizer
    code = code_digest(type(tokenizer)).encode()
    return {
        "digest": counted.digest,
        "tokenizer": hashlib.sha256(dump_json(tokenizer.to_json()) + code).hexdigest(),
        "conditions": list(vocabulary.conditions),
        "ends": vocabulary.ends,
        "shares": list(splitter.shares),
        "split_seed": splitter.seed,
        **({"joined": True} if splitter.joined else {}),
    }


# -- again, for a run

_ADVICE = "restore it, or train anew"


def check_unchanged(counted: Survey, settings: RunSettings, advice: str = _ADVICE) -> None:
    """Refuse a corpus that is not the one that a run began with.

    Args:
        counted: the corpus as it is now.
        settings: the run's.
        advice: what to do about it, for the message.

    Raises:
        CorpusError: the corpus has changed.
    """
    if counted.digest != settings.corpus.digest:
        then, now = settings.corpus.n_records, counted.n_records
        how = f"{then} records then, {now} now" if then != now else f"still {now} records, in other words or order"
        raise CorpusError(f"the corpus {settings.corpus.title!r} has changed since the run began ({how}): {advice}")


def read_again(
    corpus: Corpus,
    settings: RunSettings,
    vocabulary: Vocabulary,
    progress: Progress = ignore,
    *,
    warn: Callable[[str], None] = ignore,
    changed: Callable[[str], None] | None = None,
    advice: str = _ADVICE,
    plugins: Plugins | None = None,
    workers: int | None = None,
) -> EncodedCorpus:
    """Return the corpus of a run, verified to be unchanged and encoded with its vocabulary.

    Args:
        corpus: the corpus, opened again.
        settings: the run's.
        vocabulary: the run's.
        progress: called while reading.
        warn: called with one line when the cached encoded corpus is damaged.
        changed: called with one line if it has changed; None: a changed corpus is refused.
        advice: what to do about it, for the message.
        plugins: those of the run, for several processes to read a large corpus; None: this one reads it.
        workers: number of these processes; None: the CPU threads of this one.

    Raises:
        CorpusError: it is unreadable, or not what the run was trained on.
    """
    title, divided = settings.corpus.title, None
    with unchanging(corpus, title):
        if plugins is not None:
            divided = DividedCorpus.of(corpus, title, settings.tokenizer.name, workers, plugins)
        reading = CorpusReading(corpus, title, progress, warn, divided)
        counted = reading.count()
        advice = advice if changed is None else "the run continues with the corpus as it is now"
        try:
            check_unchanged(counted, settings, advice)
        except CorpusError as error:
            if changed is None:
                raise
            changed(str(error))
        return reading.encode(vocabulary, settings.splitter, counted)
