"""Corpus statistics collected in one pass, and the profile shown by ``seqgen show corpus``."""

from __future__ import annotations

import hashlib
import itertools
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqgen.corpus.corpus import CHUNK_RECORDS, PARTS, Corpus, Record, get_counts, serialize_records
from seqgen.errors import CorpusError, PluginError, UsageError

_SPLITS, _TYPES = {None, *PARTS}, {str, type(None)}
_PROGRESS_EVERY = 4096
_MAX_VALUES, _MAX_NUMBERS = 1000, 50  # values of a condition; a symbol per number would lose their order
_MAX_KEPT = 1 << 18  # hashes of texts
_MAX_RECORDS, _MAX_CHARS = 1 << 16, 1 << 22  # of a corpus that is kept in memory
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\v\f\r"))


@dataclass
class Survey:
    """The statistics of one pass over the records.

    Attributes:
        n_records: the number of records.
        n_chars: the number of characters over all records.
        longest: the length of the longest record, in characters.
        multiline: whether any record holds a line end.
        digest: SHA-256 over texts, labels, fields and splits in order, as hex.
        values: the sorted values of each requested condition.
        n_distinct: the number of distinct texts: exact up to 262,144, else within about half a percent.
        n_controls: control characters below U+0020, white space left out, and U+007F.
        counts: what reading skipped or changed, by description.
    """

    n_records: int = 0
    n_chars: int = 0
    longest: int = 0
    multiline: bool = False
    digest: str = ""
    values: dict[str, list[str]] = field(default_factory=dict)
    n_distinct: int = 0
    n_controls: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def n_duplicates(self) -> int:
        """Return the number of records whose text occurred before."""
        return self.n_records - self.n_distinct

    def quality_notes(self) -> list[str]:
        """Return notes on duplicate, skipped and changed records, a few words each."""
        shares = [f"{self.n_duplicates:,} duplicates ({self.n_duplicates / self.n_records:.1%})"]
        return shares * bool(self.n_duplicates) + [f"{n:,} {name}" for name, n in sorted(self.counts.items())]


class _Distinct:
    """An estimate of the number of distinct texts, in bounded memory.

    Source: adaptive sampling, M. Wegman; analysed by P. Flajolet, Computing 43 (1990): only hashes that end in k zero
    bits are kept, and k grows with their number.
    """

    def __init__(self) -> None:
        self._kept: set[int] = set()
        self._mask = 0

    def add(self, texts: Iterable[str]) -> None:
        mask = self._mask
        hashes = map(hash, texts)
        self._kept.update((found for found in hashes if not found & mask) if mask else hashes)
        while len(self._kept) > _MAX_KEPT:
            self._mask = mask = 2 * mask + 1
            self._kept = {found for found in self._kept if not found & mask}

    def count(self) -> int:
        return len(self._kept) * (self._mask + 1)


def survey(
    records: Iterable[Record],
    name: str,
    result: Survey,
    conditions: Sequence[str] = (),
    *,
    needed: bool = True,
    kept: list[Record] | None = None,
    progress: Callable[[int], None] = lambda n_records: None,
) -> Iterator[str]:
    """Yield the texts while collecting statistics; ``result`` is complete when the iteration is.

    Args:
        records: the corpus.
        name: the corpus name to show in messages.
        result: the statistics to fill in.
        conditions: "label" or names of fields whose values are collected.
        needed: whether every condition must occur.
        kept: a list to keep the records in, so that they need not be read again; cleared if there are too many.
        progress: called now and then with the number of records read.

    Raises (while iterating):
        CorpusError: there is no record.
        UsageError: a condition does not occur in any record, or has too many values.
        PluginError: an item is not a Record.
    """
    return itertools.chain.from_iterable(_surveyed(records, name, result, conditions, needed, kept, progress))


def _surveyed(
    records: Iterable[Record],
    name: str,
    result: Survey,
    conditions: Sequence[str],
    needed: bool,
    kept: list[Record] | None,
    progress: Callable[[int], None],
) -> Iterator[list[str]]:
    """Yield the texts of each chunk for ``survey``."""
    digest, distinct = hashlib.sha256(), _Distinct()
    values: dict[str, set[str]] = {condition: set() for condition in conditions}
    names: set[str] = set()
    whose = f"{name} of {records.plugin}" if isinstance(records, Corpus) and records.plugin else name
    iterator = iter(records)
    progress(0)
    while chunk := list(itertools.islice(iterator, CHUNK_RECORDS)):
        columns = _columns(chunk, whose)
        texts: list[str] = columns[0]
        lengths = list(map(len, texts))
        result.n_records += len(texts)
        result.n_chars += sum(lengths)
        result.longest = max(result.longest, *lengths)
        joined = "".join(texts)
        result.multiline = result.multiline or "\n" in joined or "\r" in joined
        data = joined.encode("utf-8", "surrogatepass")
        result.n_controls += len(data) - len(data.translate(None, _CONTROLS))
        distinct.add(texts)
        digest.update(serialize_records(*columns).encode("utf-8", "surrogatepass"))
        for condition, found in values.items():
            found.update(value for record in chunk if (value := record.value(condition)) is not None)
        if conditions:
            names.update(*(record.fields for record in chunk), ["label"] * any(record.label for record in chunk))
        if kept is not None and len(kept) + len(chunk) == result.n_records:
            kept += chunk
            if result.n_records > _MAX_RECORDS or result.n_chars > _MAX_CHARS:
                kept.clear()
        if result.n_records % _PROGRESS_EVERY < len(texts):
            progress(result.n_records)
        yield texts
    if not result.n_records:
        left_out = ", ".join(f"{n:,} {what}" for what, n in get_counts(records).items() if n)
        raise CorpusError(f"corpus {name!r} holds no records: {left_out or 'it is empty, or all its lines are blank'}")
    result.digest = digest.hexdigest()
    result.n_distinct, result.counts = min(distinct.count(), result.n_records), dict(get_counts(records))
    result.values = {
        condition: _usable(condition, found, names, needed) for condition, found in values.items() if needed or found
    }


def _columns(chunk: Sequence[Record], whose: str) -> list[list[Any]]:
    """Return the texts, labels, fields and splits of a chunk; refuse anything that is not a record."""
    if set(map(type, chunk)) != {Record}:
        _refuse(chunk, whose)
    # zip(*chunk) would create an object per record, which makes the garbage collector run.
    columns = [list(map(operator.itemgetter(at), chunk)) for at in range(4)]
    if (
        set(map(type, columns[0])) != {str}
        or not set(map(type, columns[1])) <= _TYPES
        or not set(map(type, columns[3])) <= _TYPES
        or not set(columns[3]) <= _SPLITS
    ):
        _refuse(chunk, whose)
    return columns


def _refuse(chunk: Sequence[Record], whose: str) -> None:
    """Raise for the first item that is not a record; subclasses of Record from a plugin pass."""
    for record in chunk:
        if not isinstance(record, Record) or not isinstance(record.text, str):
            raise PluginError(f"corpus {whose} yielded {type(record).__name__} {record!r:.60}, not a seqgen.Record")
        if record.label is not None and not isinstance(record.label, str):
            raise PluginError(f"corpus {whose} yielded the label {record.label!r:.60}, which is not a string")
        if record.split is not None and record.split not in PARTS:
            raise PluginError(f"corpus {whose} yielded the split {record.split!r}, which is not train, valid or test")


def _usable(condition: str, values: set[str], names: set[str], new: bool) -> list[str]:
    """Return the sorted values of a condition; refuse a missing one, and a measured quantity as a new one."""
    if not values:
        have = ", ".join(sorted(names)) or "neither a label nor fields"
        way = "; pass --label-field to use one of them as the label" if condition == "label" and names else ""
        raise UsageError(f"cannot condition on {condition!r}: no record has it; the records have {have}{way}")
    if len(values) > _MAX_VALUES:
        raise UsageError(f"cannot condition on {condition!r}: it has {len(values):,} values (at most {_MAX_VALUES})")
    if new and len(values) > _MAX_NUMBERS and all(map(_is_number, values)):
        raise UsageError(
            f"cannot condition on {condition!r}: it has {len(values):,} different numbers, and each would become "
            f"a symbol of its own (at most {_MAX_NUMBERS}); add a field with a few classes, such as low, middle and "
            "high, and condition on that"
        )
    return sorted(values)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def profile(records: Iterable[Record], name: str, n_shown: int = 8) -> dict[str, Any]:
    """Return the statistics that ``seqgen show corpus`` shows.

    Args:
        records: the corpus, iterated twice.
        name: the corpus name to show in messages.
        n_shown: the approximate number of records to show, evenly spaced.

    Returns:
        Counts, symbols with their frequency, a length histogram, labels, duplicates, every n-th record.
    """
    totals = Survey()
    lengths: Counter[int] = Counter()
    symbols: Counter[str] = Counter()
    for text in survey(records, name, totals):
        lengths[len(text)] += 1
        symbols.update(text)
    every = -(-totals.n_records // n_shown)
    shown, labels = [], Counter[str]()
    for index, record in enumerate(records):
        if record.label is not None:
            labels[record.label] += 1
        if index % every == 0:
            shown.append(record.text)
    return {
        "records": totals.n_records,
        "characters": totals.n_chars,
        "longest": totals.longest,
        "duplicates": totals.n_duplicates,
        "control_characters": totals.n_controls,
        "skipped_or_changed": totals.counts,
        "symbols": dict(sorted(symbols.items())),
        "lengths": dict(sorted(lengths.items())),
        "labels": dict(sorted(labels.items())),
        "every": every,
        "shown": shown,
        "digest": totals.digest,
    }
