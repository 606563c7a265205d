"""One look over a corpus: what training must know of it, and what a person wants to see of it."""

from __future__ import annotations

import hashlib
import itertools
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqgen.corpus.corpus import Corpus, Record, get_counts
from seqgen.corpus.digest import CHUNK_RECORDS, serialize_records
from seqgen.corpus.split import PARTS
from seqgen.errors import CorpusError, PluginError, UsageError

_SPLITS, _TYPES = {None, *PARTS}, {str, type(None)}
_PROGRESS_EVERY = 4096
_MAX_VALUES, _MAX_NUMBERS = 1000, 50  # of a condition; if all are numbers, a symbol for each says little of its order
_MAX_KEPT = 1 << 18  # hashes of texts
_MAX_RECORDS, _MAX_CHARS = 1 << 16, 1 << 22  # of a corpus that is not read again
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\v\f\r"))


@dataclass
class Survey:
    """What one pass over the records tells.

    Attributes:
        n_records: how many records.
        n_chars: characters over all records.
        longest: characters of the longest record.
        multiline: whether a record holds a line end.
        digest: SHA-256 over texts, labels, fields and splits in order, as hex.
        values: for each condition asked for, the values that occur, sorted.
        n_distinct: different texts: exact up to 262,144 of them, else within about half a percent.
        n_controls: control characters below U+0020, white space left out, and U+007F.
        counts: what reading skipped or changed, by what it is called.
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
        """Records whose text has come before."""
        return self.n_records - self.n_distinct

    def quality_notes(self) -> list[str]:
        """What a person should know of the records, a few words each."""
        shares = [f"{self.n_duplicates:,} duplicates ({self.n_duplicates / self.n_records:.1%})"]
        return shares * bool(self.n_duplicates) + [f"{n:,} {name}" for name, n in sorted(self.counts.items())]


class _Distinct:
    """How many different texts there are, in bounded memory.

    Source: adaptive sampling, M. Wegman; analysed by P. Flajolet, Computing 43 (1990): hashes are kept that end in so
    many zeros that not too many are kept.
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
    """Pass the texts on while counting them; ``result`` is complete when the iteration is.

    Args:
        records: the corpus.
        name: how messages call it.
        result: filled in.
        conditions: "label", or names of fields, whose values are wanted.
        needed: whether each of these must be there.
        kept: gets the records, so that they need not be read again; it is emptied if there are too many of them.
        progress: is told how many records have been looked at, now and then.

    Raises (while iterating):
        CorpusError: there is no record.
        UsageError: no record has one of the conditions, or it has too many values.
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
    """What ``survey`` does, chunk by chunk."""
    digest, distinct = hashlib.sha256(), _Distinct()
    values: dict[str, set[str]] = {condition: set() for condition in conditions}
    known: set[str] = set()
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
            known.update(*(record.fields for record in chunk), ["label"] * any(record.label for record in chunk))
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
        condition: _usable(condition, found, known, needed) for condition, found in values.items() if needed or found
    }


def _columns(chunk: Sequence[Record], whose: str) -> list[list[Any]]:
    """Texts, labels, fields and splits; refuses what is not a record."""
    if set(map(type, chunk)) != {Record}:
        _refuse(chunk, whose)
    # Where zip(*chunk) would make an object a record, which garbage collection counts.
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
    """Refuse the first that is not a record; there may be none, where a plugin has a kind of record of its own."""
    for record in chunk:
        if not isinstance(record, Record) or not isinstance(record.text, str):
            raise PluginError(f"corpus {whose} gave {type(record).__name__} {record!r:.60}, not a seqgen.Record")
        if record.label is not None and not isinstance(record.label, str):
            raise PluginError(f"corpus {whose} gave the label {record.label!r:.60}, which is not a text")
        if record.split is not None and record.split not in PARTS:
            raise PluginError(f"corpus {whose} gave the split {record.split!r}, which is not train, valid or test")


def _usable(condition: str, values: set[str], known: set[str], new: bool) -> list[str]:
    """The values of a condition, sorted; refuses what cannot be one, and a measured quantity as a new one."""
    if not values:
        have = ", ".join(sorted(known)) or "neither a label nor fields"
        way = "; --label-field makes one of them the label" if condition == "label" and known else ""
        raise UsageError(
            f"no record has {condition!r}, so nothing can be conditioned on it; the records have {have}{way}"
        )
    if len(values) > _MAX_VALUES:
        raise UsageError(f"{condition!r} has {len(values):,} different values; a condition has {_MAX_VALUES} at most")
    if new and len(values) > _MAX_NUMBERS and all(map(_is_number, values)):
        raise UsageError(
            f"cannot condition on {condition!r}: it has {len(values):,} different numbers, and each would be learned "
            f"as a symbol of its own ({_MAX_NUMBERS} at most); write a field of a few classes beside it, such as low, "
            "middle and high, and condition on that"
        )
    return sorted(values)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def profile(records: Iterable[Record], name: str, n_shown: int = 8) -> dict[str, Any]:
    """What ``seqgen show corpus`` shows.

    Args:
        records: the corpus, iterated twice.
        name: how messages call it.
        n_shown: about how many records to show, evenly spaced (every n-th).

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
