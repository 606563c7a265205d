"""What a corpus is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from seqgen.errors import PluginError

_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


class Record(NamedTuple):
    """One sequence of a corpus.

    Attributes:
        text: the sequence.
        label: what kind of sequence it is, if the corpus says.
        fields: further named values.
        split: "train", "valid" or "test" if the corpus comes with a split of its own.
    """

    text: str
    label: str | None = None
    fields: Mapping[str, Any] = _NO_FIELDS
    split: Literal["train", "valid", "test"] | None = None

    def value(self, name: str) -> str | None:
        """The label (``name`` is "label") or a field, as text; None if the record has none."""
        found = self.label if name == "label" and self.label is not None else self.fields.get(name)
        return None if found is None else str(found)


_make = partial(tuple.__new__, Record)


def records_of(
    texts: Iterable[str], label: str | None = None, split: Literal["train", "valid", "test"] | None = None
) -> Iterator[Record]:
    """Records without fields, of one label and one split: a third of the time that calling ``Record`` takes."""
    return map(_make, zip(texts, repeat(label), repeat(_NO_FIELDS), repeat(split), strict=False))


@dataclass(frozen=True)
class Corpus:
    """Records in a fixed order, and what is known of them.

    Attributes:
        name: the registered name, or the path of a file.
        source: gives the same records in the same order each time it is iterated.
        origin: where the data comes from.
        licence: under which terms it may be used; "" when unknown.
        layout: "lines" or "stream".
        multiline: whether a record may hold line ends.
        domain: the name of what its texts are, or None.
        canonical: whether each text is its own canonical form.
        plugin: the plugin that offers it, for messages; "" when unknown.
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

    def __iter__(self) -> Iterator[Record]:
        """The records, from the first."""
        return iter(self.source)

    @property
    def counts(self) -> Mapping[str, int]:
        """What the last pass to the end skipped or changed, by what it is called."""
        return get_counts(self.source)


@dataclass(frozen=True)
class PresplitSource:
    """A source whose held-out parts the user gives: all of ``train`` is trained on.

    Attributes:
        train: the records to train on.
        valid: the records of the validation part, or None.
        test: the records of the test part, or None.
    """

    train: Iterable[Record]
    valid: Iterable[Record] | None = None
    test: Iterable[Record] | None = None

    def __iter__(self) -> Iterator[Record]:
        """The records of the three parts one after another, each marked with its part."""
        for record in self.train:
            yield record._replace(split="train")
        for record in self.valid or ():
            yield record._replace(split="valid")
        for record in self.test or ():
            yield record._replace(split="test")

    @property
    def counts(self) -> Mapping[str, int]:
        """What the last pass to the end skipped or changed, over the three parts."""
        total = Counter[str]()
        for part in (self.train, self.valid, self.test):
            total.update(get_counts(part))
        return total

    def stamp(self) -> object:
        """What changes when the records do, or None if one of the parts cannot tell."""
        found = [get_stamp(part) for part in (self.train, self.valid or (), self.test or ())]
        return None if None in found else found

    def source_files(self) -> list[Path]:
        """The files that the records are read from."""
        return [path for part in (self.train, self.valid or (), self.test or ()) for path in get_source_files(part)]


def get_counts(source: object) -> Mapping[str, int]:
    """What the last pass through a source skipped or changed, if it counts."""
    found = getattr(source, "counts", None)
    if not isinstance(found, Mapping):
        return {}
    return {name: n for name, n in found.items() if isinstance(name, str) and isinstance(n, int)}


def get_stamp(source: object) -> object:
    """What changes when the records of a source do, as JSON values; None if it cannot tell.

    Raises:
        PluginError: it says so by something else.
    """
    if isinstance(source, tuple) and not source:
        return ""
    stamp = getattr(source, "stamp", None)
    found = stamp() if stamp is not None else None
    try:
        json.dumps(found)
    except (TypeError, ValueError, RecursionError):
        raise PluginError(f"{_called(source)}.stamp gave {type(found).__name__}, not JSON values") from None
    return found


def get_source_files(source: object) -> list[Path]:
    """The files that the records of a source are read from; none if it does not say.

    Raises:
        PluginError: it gives something else than paths.
    """
    files = getattr(source, "source_files", None)
    found = files() if files is not None else []
    if not isinstance(found, list | tuple) or not all(isinstance(path, Path) for path in found):
        raise PluginError(f"{_called(source)}.source_files gave {type(found).__name__}, not a list of paths")
    return list(found)


def _called(source: object) -> str:
    return f"{type(source).__module__}.{type(source).__qualname__}"
