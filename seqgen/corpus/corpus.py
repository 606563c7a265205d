"""Records and corpora, their digest, and their split into training, validation and test parts."""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from numbers import Integral
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from seqgen.errors import CorpusError, PluginError, short_repr

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


class Record(NamedTuple):
    """One sequence of a corpus.

    Attributes:
        text: the sequence.
        label: the class of the sequence, if the corpus has labels.
        fields: further named values.
        split: "train", "valid" or "test" if the corpus defines its own split.
    """

    text: str
    label: str | None = None
    fields: Mapping[str, Any] = _NO_FIELDS
    split: Literal["train", "valid", "test"] | None = None

    def value(self, name: str) -> str | None:
        """Return the label (``name`` is "label") or a field as text; None if the record has none."""
        found = self.label if name == "label" and self.label is not None else self.fields.get(name)
        return None if found is None else str(found)


def record_fault(item: object) -> str:
    """Return what is wrong with an item that a plugin yielded as a record, as it follows "yielded"; "" for a record."""
    if not isinstance(item, Record):
        return f"{type(item).__name__} {short_repr(item)}, not a seqgen.Record"
    if not isinstance(item.text, str):
        return f"the text {short_repr(item.text)}, which is not a string"
    if not isinstance(item.fields, Mapping):
        return f"the fields {short_repr(item.fields)}, not values by name"
    if odd := [name for name in item.fields if not isinstance(name, str)]:
        return f"the field name {short_repr(odd[0])}, which is not a string"
    if not isinstance(item.label, str | None):
        return f"the label {short_repr(item.label)}, which is not a string"
    if not isinstance(item.split, str | None) or item.split not in {None, *PARTS}:
        return f"the split {short_repr(item.split)}, which is not train, valid or test"
    return ""


_make = partial(tuple.__new__, Record)


def records_of(
    texts: Iterable[str], label: str | None = None, split: Literal["train", "valid", "test"] | None = None
) -> Iterator[Record]:
    """Yield records without fields that share a label and a split, in a third of the time of calling ``Record``."""
    return map(_make, zip(texts, repeat(label), repeat(_NO_FIELDS), repeat(split), strict=False))


@dataclass(frozen=True)
class Corpus:
    """Records in a fixed order, with their metadata.

    Attributes:
        name: the registered name, or the path of a file.
        source: a restartable iterable: the same records in the same order each time.
        origin: where the data comes from.
        licence: the terms of use; "" if unknown.
        layout: "lines" (separate records) or "stream" (one long text).
        multiline: whether a record may hold line ends.
        domain: the name of the domain of its texts, or None.
        canonical: whether each text is its own canonical form.
        plugin: the plugin that provides it, for messages; "" if unknown.
        opening: the settings by which another process opens it, as JSON values; None if it cannot.
    """

    name: str
    source: Iterable[Record]
    origin: str = ""
    licence: str = ""
    layout: str = "lines"
    multiline: bool = False
    domain: str | None = None
    canonical: bool = False
    plugin: str = ""
    opening: Mapping[str, Any] | None = None

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records from the first one."""
        return iter(self.source)

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many lines or bytes the last complete pass skipped or changed, by description."""
        return get_counts(self.source)


def owner_of(records: Iterable[Record], name: str) -> str:
    """Return a corpus as messages about what it yields name it."""
    return f"{name} of {records.plugin}" if isinstance(records, Corpus) and records.plugin else name


def without_training_part(corpus: Corpus, name: str, have: str) -> CorpusError:
    """Return the error of a corpus that has no training records, with what to do.

    Args:
        corpus: the corpus, of which the first record is read again.
        name: the corpus name to show in messages.
        have: what it has in all, such as "2 records".
    """
    first = next(iter(corpus), None)
    if first is None or first.split is None:
        problem = f"corpus {name!r} has no record in its training part: it has {have} in all"
        return CorpusError(f"{problem}; add more, or pass --split none, which trains on all")
    whose = owner_of(corpus, name)
    return CorpusError(
        f"corpus {whose} has no record in its training part: its records say which they are of, and none says train"
    )


@dataclass(frozen=True)
class PresplitSource:
    """A source with held-out parts given by the user.

    Attributes:
        train: the records to train on.
        valid: the records of the validation part, or None.
        test: the records of the test part, or None.
        divided: whether a split takes validation records from ``train``, and records that say so are of that part; else
            all of it is trained on.
    """

    train: Iterable[Record]
    valid: Iterable[Record] | None = None
    test: Iterable[Record] | None = None
    divided: bool = False

    def parts(self) -> dict[Any, Iterable[Record]]:
        """Return the records of the parts that are given, by name."""
        held = zip(PARTS, (self.train, self.valid, self.test), strict=True)
        return {name: records for name, records in held if records is not None}

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the parts in order, each record marked with its part unless a split decides on it."""
        for name, records in self.parts().items():
            free = (None, "valid") if self.divided and name == "train" else ()
            for record in records:
                yield record if record.split in free else record._replace(split=name)

    @property
    def counts(self) -> Mapping[str, int]:
        """Return what the last complete pass skipped or changed, summed over the parts."""
        total = Counter[str]()
        for records in self.parts().values():
            total.update(get_counts(records))
        return total

    def stamp(self) -> object:
        """Return a value that changes when the records do; None if one of the parts has none."""
        found = {name: get_stamp(records) for name, records in self.parts().items()}
        if None in found.values():
            return None
        return [found.get(name, "") for name in PARTS] + ["divided"] * self.divided

    def source_files(self) -> list[Path]:
        """Return the files that the records are read from."""
        return [path for records in self.parts().values() for path in get_source_files(records)]


def get_counts(source: object) -> Mapping[str, int]:
    """Return what the last complete pass through a source skipped or changed; {} if it does not count."""
    found = getattr(source, "counts", None)
    if not isinstance(found, Mapping):
        return {}
    return {name: int(n) for name, n in found.items() if isinstance(name, str) and isinstance(n, Integral)}


def get_stamp(source: object) -> object:
    """Return a JSON value that changes when the records of a source do; None if the source has none.

    Raises:
        PluginError: ``stamp`` returned something that is not JSON.
    """
    stamp = getattr(source, "stamp", None)
    found = stamp() if stamp is not None else None
    try:
        json.dumps(found)
    except (TypeError, ValueError, RecursionError):
        raise PluginError(f"{_qualified_name(source)}.stamp returned {type(found).__name__}, not JSON values") from None
    return found


def get_source_files(source: object) -> list[Path]:
    """Return the files that the records of a source are read from; [] if the source does not list them.

    Raises:
        PluginError: ``source_files`` returned something other than a list of paths.
    """
    files = getattr(source, "source_files", None)
    found = files() if files is not None else []
    if not isinstance(found, list | tuple) or not all(isinstance(path, Path) for path in found):
        returned = type(found).__name__
        raise PluginError(f"{_qualified_name(source)}.source_files returned {returned}, not a list of paths")
    return list(found)


def _qualified_name(source: object) -> str:
    return f"{type(source).__module__}.{type(source).__qualname__}"


# -- the digest

CHUNK_RECORDS = 128  # records hashed together; small, since pieces of a long text are long


def verify_digest(records: Iterable[Record], name: str, digest: str) -> Iterator[Record]:
    """Yield records while recomputing their digest, and fail at the end if it differs.

    Args:
        records: the corpus, being read again.
        name: the corpus name to show in messages.
        digest: the digest of the earlier pass, SHA-256 as hex.

    Raises (at the end of the iteration):
        CorpusError: the records have changed.
    """
    found = hashlib.sha256()

    def chunks() -> Iterator[list[Record]]:
        for chunk, data in hashed_chunks(records):
            found.update(data)
            yield chunk
        compare_digests(found.hexdigest(), digest, name)

    return itertools.chain.from_iterable(chunks())


def hashed_chunks(records: Iterable[Record]) -> Iterator[tuple[list[Record], bytes]]:
    """Yield records in chunks, each with the bytes that are hashed of it."""
    iterator = iter(records)
    while chunk := list(itertools.islice(iterator, CHUNK_RECORDS)):
        columns = [list(map(operator.itemgetter(at), chunk)) for at in range(4)]
        yield chunk, serialize_records(*columns).encode("utf-8", "surrogatepass")


def compare_digests(found: str, digest: str, name: str) -> None:
    """Refuse a corpus that was read twice and has another digest than before.

    Raises:
        CorpusError: it has.
    """
    if found != digest:
        raise CorpusError(f"corpus {name!r} changed while it was read; try again once nothing writes to it")


def serialize_records(
    texts: Sequence[str], labels: Sequence[Any], fields: Sequence[Mapping[str, Any]], splits: Sequence[Any]
) -> str:
    """Return records in the form that is hashed."""
    label, split = labels[0], splits[0]
    if labels.count(label) == splits.count(split) == len(texts) and not any(fields):
        end = f"\x1f{label or ''}\x1f{split or ''}\x1e"
        return end.join(texts) + end
    return "".join(map(_one, texts, labels, fields, splits))


def _one(text: str, label: Any, fields: Mapping[str, Any], split: Any) -> str:
    serialized = json.dumps(dict(fields), sort_keys=True, default=str) if fields else ""
    return f"{text}\x1f{label or ''}\x1f{split or ''}\x1e{serialized}"


# -- the split

PARTS = ("train", "valid", "test")
_NO_SHARE = 1e-9  # of a corpus: shares that were divided differ by rounding


@dataclass(frozen=True)
class Splitter:
    """A split by a hash of (seed, text), so that equal texts are always in the same part.

    Attributes:
        shares: the shares of training, validation and test, which sum to 1.
        seed: the seed of the hash; labels do not affect the split.
        joined: whether what would be validation belongs to training, as in a refitted run.
    """

    shares: tuple[float, float, float] = (0.9, 0.05, 0.05)
    seed: int = 0
    joined: bool = False

    def part(self, record: Record) -> str:
        """Return the record's own split if it has one, else "train", "valid" or "test" by the hash of its text."""
        if record.split is not None:
            return self.own_part(record.split)
        share = int.from_bytes(self._digest()(record.text), "little") / 2**64
        return PARTS[bisect.bisect_right(self._bounds, share)]

    def own_part(self, split: str) -> str:
        """Return the part of a record whose corpus says which it is."""
        return "train" if self.joined and split == "valid" else split

    def parts(self, records: Sequence[Record]) -> npt.NDArray[np.int8]:
        """Return the part of each record as an index into ``PARTS``, (N,) int8."""
        import numpy as np

        if set(map(itemgetter(3), records)) <= {None}:
            return self._by_text(map(itemgetter(0), records))
        own = {None: -1} | {part: PARTS.index(self.own_part(part)) for part in PARTS}
        parts_N = np.fromiter((own[record.split] for record in records), np.int8, len(records))
        free = np.flatnonzero(parts_N < 0)
        parts_N[free] = self._by_text(records[place].text for place in free.tolist())
        return parts_N

    def learned_by(self, other: Splitter, *, by_text: bool) -> tuple[str, ...]:
        """Return the held-out parts with records that another split of the same corpus has in its training part.

        Args:
            other: the other split.
            by_text: whether records are split by their texts, so that the seed matters, or one long text by position.
        """
        valid, test = self._bounds
        learned = 1.0 if by_text and self.seed != other.seed else other._bounds[0]
        ends = (("valid", valid, test), ("test", test, 1.0))
        return tuple(part for part, start, end in ends if min(end, learned) - start > _NO_SHARE)

    def _by_text(self, texts: Iterable[str]) -> npt.NDArray[np.int8]:
        import numpy as np

        shares_N = np.frombuffer(b"".join(map(self._digest(), texts)), dtype="<u8") / 2.0**64
        return np.searchsorted(self._bounds, shares_N, side="right").astype(np.int8)

    @property
    def _bounds(self) -> tuple[float, float]:
        """Return the ends of the training and validation parts, as cumulative shares."""
        both = self.shares[0] + self.shares[1]
        return both if self.joined else self.shares[0], both

    def _digest(self) -> Callable[[str], bytes]:
        """Return a function that maps a text to its 8-byte hash."""
        begin = hashlib.blake2b(digest_size=8, key=self.seed.to_bytes(8, "little")).copy

        def digest(text: str) -> bytes:
            keyed = begin()  # cheaper than processing the key each time
            keyed.update(text.encode("utf-8", "surrogatepass"))
            return keyed.digest()

        return digest

    def ends(self, n_chars: int) -> dict[str, int]:
        """Return the end of each part of one long text, in characters; the parts are consecutive."""
        train, valid = (round(bound * n_chars) for bound in self._bounds)
        return {"train": train, "valid": valid, "test": n_chars}
