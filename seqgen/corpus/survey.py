"""Corpus statistics collected in one pass, the values of conditions among them.

Dimension letters: C codes of characters.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import operator
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqgen.corpus.corpus import (
    CHUNK_RECORDS,
    PARTS,
    Record,
    get_counts,
    owner_of,
    record_fault,
    serialize_records,
)
from seqgen.corpus.distinct import Distinct
from seqgen.corpus.readers import BLANK
from seqgen.errors import CorpusError, PluginError, UsageError, nearest_names

_SPLITS, _TYPES = {None, *PARTS}, {str, type(None)}
_PROGRESS_EVERY = 4096
_MAX_RECORDS, _MAX_CHARS = 1 << 16, 1 << 22  # of a corpus that is kept in memory
_MANY_BLANK, _BLANK_SHARES = 5, (0.05, 0.6)  # blank lines that may be between records, and per record
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
        n_padded: the number of records that begin or end with white space.
        alphabet: the characters of all texts, sorted.
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
    n_padded: int = 0
    alphabet: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def n_duplicates(self) -> int:
        """Return the number of records whose text occurred before."""
        return self.n_records - self.n_distinct

    def warnings(self, *, of_lines: bool) -> list[str]:
        """Return warnings about what is kept or skipped, a line for each; some name an option of files of lines."""
        found, n_blank = list[str](), self.counts.get(BLANK, 0)
        if self.n_controls:
            found.append(
                f"control characters ({self.n_controls:,}) are kept as symbols, and escaped where a terminal shows them"
            )
        if (
            of_lines
            and n_blank >= _MANY_BLANK
            and _BLANK_SHARES[0] <= n_blank / max(1, self.n_records) <= _BLANK_SHARES[1]
        ):
            found.append(
                f"{n_blank:,} blank lines are skipped: if they separate records of several lines, such as poems, "
                "-o corpus.separator= (with nothing after the =) makes each block one record"
            )
        if of_lines and self.n_padded:
            verbs = "begins or ends" if self.n_padded == 1 else "begin or end"
            found.append(
                f"{count_of(self.n_padded, 'records')} {verbs} with white space, which is kept as symbols: "
                "-o corpus.strip=true removes it"
            )
        return found

    def quality_notes(self) -> list[str]:
        """Return notes on duplicate, skipped and changed records, a few words for each."""
        shares = [f"{count_of(self.n_duplicates, 'duplicates')} ({self.n_duplicates / self.n_records:.1%})"]
        return shares * bool(self.n_duplicates) + [count_of(n, name) for name, n in sorted(self.counts.items())]


def count_of(n: int, described: str) -> str:
    """Return a number with a description in the plural: "2 blank lines skipped", "1 blank line skipped"."""
    words = described.split(" ")
    if n == 1 and (plural := next((word for word in words if re.fullmatch(r"[a-z]{2,}[^\Ws]s", word)), None)):
        words[words.index(plural)] = re.sub(r"ies$", "y", plural).removesuffix("s")
    return f"{n:,} {' '.join(words)}"


# -- the values of conditions, each of which becomes a symbol

_MAX_VALUES, _MAX_NUMBERS = 1000, 50  # values of a condition; a symbol per number would lose their order
_MOSTLY = 0.8  # share of the values that are numbers, or of the records that have a value of their own
_NUMBER = re.compile(
    r"[<>≤≥~≈]?=?\s*[-+−]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?(\s*[%°]\s*[CF]?|\s+[^\s\d]{1,8})?", re.IGNORECASE
)
_MAX_COUNTED = 100_000  # values, beyond which there are too many to count
_CLASSES = "add a field with a few classes, such as low, middle and high, and condition on that"


class ConditionValues:
    """The values of some conditions over the records that were added.

    Args:
        conditions: "label" or names of fields.

    Raises (by its methods):
        UsageError: a condition does not occur in any record, or has too many values.
    """

    def __init__(self, conditions: Iterable[str]) -> None:
        self._values: dict[str, set[str]] = {condition: set() for condition in conditions}
        self._names = set[str]()  # of all fields, and "label" if there is one

    def add(self, records: Sequence[Record]) -> None:
        """Add the values of records."""
        for condition in self._values:
            found = (value for record in records if (value := record.value(condition)) is not None)
            self._update(condition, found)
        if self._values:
            self._names.update(*(record.fields for record in records))
            self._names.update(["label"] * any(record.label for record in records))

    def to_json(self) -> dict[str, Any]:
        """Return what ``join`` adds elsewhere, as JSON values."""
        values = {condition: sorted(found) for condition, found in self._values.items()}
        return {"values": values, "names": sorted(self._names)}

    def join(self, other: Mapping[str, Any]) -> None:
        """Add what ``to_json`` returned of other records."""
        for condition in self._values:
            self._update(condition, other["values"][condition])
        self._names.update(other["names"])

    def _update(self, condition: str, found: Iterable[str]) -> None:
        """Add values; refuse a condition whose values would fill the memory before all are counted."""
        values = self._values[condition]
        values.update(found)
        if len(values) > _MAX_COUNTED:
            raise UsageError(
                f"cannot condition on {condition!r}: it has more than {_MAX_COUNTED:,} values "
                f"(at most {_MAX_VALUES:,}); {_CLASSES}"
            )

    def usable(self, n_records: int, *, needed: bool) -> dict[str, list[str]]:
        """Return the sorted values of each condition.

        Args:
            n_records: the number of all records.
            needed: whether every condition must occur, and is new: a quantity or an identifier is refused then.
        """
        found = {condition: values for condition, values in self._values.items() if needed or values}
        return {condition: self._usable(condition, values, needed, n_records) for condition, values in found.items()}

    def _usable(self, condition: str, values: set[str], new: bool, n_records: int) -> list[str]:
        if not values:
            have = f"; the records have {', '.join(sorted(self._names)) or 'neither a label nor fields'}"
            way = "; pass --label-field to use one of them as the label" if condition == "label" and self._names else ""
            near = nearest_names(condition, self._names) if not way else ""
            raise UsageError(f"cannot condition on {condition!r}: no record has it beside its text{near or have + way}")
        n_numbers = sum(_NUMBER.fullmatch(value) is not None for value in values)
        if new and n_numbers > max(_MAX_NUMBERS, _MOSTLY * len(values)):
            raise UsageError(
                f"cannot condition on {condition!r}: it has {n_numbers:,} different numbers, and each would become "
                f"a symbol of its own (at most {_MAX_NUMBERS}); {_CLASSES}"
            )
        if len(values) > _MAX_VALUES:
            raise UsageError(
                f"cannot condition on {condition!r}: it has {len(values):,} values (at most {_MAX_VALUES:,}); "
                f"{_CLASSES}"
            )
        if new and len(values) > max(_MAX_NUMBERS, _MOSTLY * n_records):
            raise UsageError(
                f"cannot condition on {condition!r}: it has {len(values):,} values for {n_records:,} records, so "
                "hardly two records share one; condition on a field with a few classes"
            )
        return sorted(values)


# -- collected


class Tally:
    """The statistics of consecutive records, as far as they do not depend on the records before.

    Args:
        survey: gets the counts of records, characters and so on.
        conditions: "label" or names of fields whose values are collected.
        mask: of the estimate of distinct texts, if it is known.

    Attributes:
        conditions: the values of each condition.
        distinct: the estimate of the number of distinct texts.
    """

    def __init__(self, survey: Survey, conditions: Sequence[str] = (), mask: int = 0) -> None:
        self.survey, self.conditions, self.distinct = survey, ConditionValues(conditions), Distinct(mask)

    def read(self, records: Iterable[Record], whose: str) -> Iterator[tuple[list[Record], list[str], bytes]]:
        """Count records; yield each chunk of them, its texts, and the bytes that are hashed.

        Raises (while iterating):
            PluginError: an item is not a Record.
            UsageError: a condition has very many values.
        """
        import numpy as np

        iterator, found = iter(records), self.survey
        seen_C = np.zeros(sys.maxunicode + 1, dtype=bool)  # by code; a set of the characters would take far longer
        while chunk := list(itertools.islice(iterator, CHUNK_RECORDS)):
            columns = _columns(chunk, whose)
            texts: list[str] = columns[0]
            lengths = list(map(len, texts))
            found.n_records += len(texts)
            found.n_chars += sum(lengths)
            found.longest = max(found.longest, *lengths)
            found.n_padded += sum(map(operator.ne, texts, map(str.strip, texts)))
            joined = "".join(texts)
            found.multiline = found.multiline or "\n" in joined or "\r" in joined
            data = joined.encode("utf-8", "surrogatepass")
            found.n_controls += len(data) - len(data.translate(None, _CONTROLS))
            seen_C[np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)] = True
            self.distinct.add(texts)
            self.conditions.add(chunk)
            yield chunk, texts, serialize_records(*columns).encode("utf-8", "surrogatepass")
        found.alphabet = "".join(map(chr, seen_C.nonzero()[0].tolist()))
        found.counts = dict(sorted(get_counts(records).items()))

    def to_json(self) -> dict[str, Any]:
        """Return the statistics as JSON values, without the hashes of the estimate."""
        return {"survey": dataclasses.asdict(self.survey), **self.conditions.to_json()}

    def join(self, later: Mapping[str, Any], distinct: Distinct) -> None:
        """Add the statistics of the records that follow.

        Args:
            later: what ``to_json`` returned of them.
            distinct: their estimate of distinct texts.
        """
        found, more = self.survey, Survey(**later["survey"])
        found.n_records += more.n_records
        found.n_chars += more.n_chars
        found.longest = max(found.longest, more.longest)
        found.multiline |= more.multiline
        found.n_controls += more.n_controls
        found.n_padded += more.n_padded
        found.alphabet = "".join(sorted({*found.alphabet, *more.alphabet}))
        found.counts = dict(sorted((Counter(found.counts) + Counter(more.counts)).items()))
        self.conditions.join(later)
        self.distinct.join(distinct)

    def finish(self, name: str, digest: str, *, needed: bool = True) -> None:
        """Complete the statistics of a corpus.

        Args:
            name: the corpus name to show in messages.
            digest: SHA-256 of what ``read`` yielded, as hex.
            needed: whether every condition must occur.

        Raises:
            CorpusError: there is no record.
            UsageError: a condition does not occur in any record, or has too many values.
        """
        found = self.survey
        if not found.n_records:
            left_out = ", ".join(count_of(n, what) for what, n in found.counts.items() if n)
            raise CorpusError(
                f"corpus {name!r} holds no records: {left_out or 'it is empty, or has blank lines or a heading only'}"
            )
        found.digest, found.n_distinct = digest, min(self.distinct.count(), found.n_records)
        found.values = self.conditions.usable(found.n_records, needed=needed)


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
    digest, tally = hashlib.sha256(), Tally(result, conditions)

    def chunks() -> Iterator[list[str]]:
        progress(0)
        for chunk, texts, data in tally.read(records, owner_of(records, name)):
            digest.update(data)
            if kept is not None and len(kept) + len(chunk) == result.n_records:
                kept.extend(chunk)
                if result.n_records > _MAX_RECORDS or result.n_chars > _MAX_CHARS:
                    kept.clear()
            if result.n_records % _PROGRESS_EVERY < len(texts):
                progress(result.n_records)
            yield texts
        tally.finish(name, digest.hexdigest(), needed=needed)

    return itertools.chain.from_iterable(chunks())


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
        or not all(issubclass(kind, Mapping) for kind in set(map(type, columns[2])))
        or not set(map(type, itertools.chain.from_iterable(columns[2]))) <= {str}
    ):
        _refuse(chunk, whose)
    return columns


def _refuse(chunk: Sequence[Record], whose: str) -> None:
    """Raise for the first item that is not a record; subclasses of Record from a plugin pass."""
    for record in chunk:
        if fault := record_fault(record):
            raise PluginError(f"corpus {whose} yielded {fault}")
