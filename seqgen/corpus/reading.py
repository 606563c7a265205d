"""Files read by the readers of plugins."""

from __future__ import annotations

import contextlib
import itertools
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any, BinaryIO, ClassVar, NamedTuple, Protocol

from seqgen.corpus.corpus import Record, record_fault
from seqgen.corpus.opening import START, decoded_start, open_bytes, undecodable
from seqgen.corpus.places import Place, name_of, suffix_of
from seqgen.corpus.readers import FileSource, TextFile
from seqgen.corpus.tables import Table
from seqgen.errors import (
    BadOption,
    CorpusError,
    PluginError,
    SeqgenError,
    UsageError,
    is_out_of_memory,
    one_line,
    short_repr,
)

EMPTY = "records without text skipped"
_MAX_RAW_CHARS = 1 << 24  # of a line that is part of a record, unless longer ones are allowed
_OF_THE_FILE = (SeqgenError, OSError, EOFError, zlib.error, zipfile.BadZipFile)
Item = Record | Mapping[str, Any]


class Reader(Protocol):
    """A reader of files of one format; a new one is built for each pass through a file.

    An attribute ``counts``, if it has one, maps descriptions to how many records the pass skipped or changed.
    """

    def read(self, source: Any) -> Iterable[Item]:
        """Yield the records of one file in order, in bounded memory.

        Args:
            source: the lines of the file, without their ends, if its spec says ``text``; else the file, unpacked and
                opened for reading bytes, which can be rewound.

        Returns:
            Records; if the spec says ``table``, its rows as mappings of column names to values.

        Raises:
            CorpusError: the file is damaged or not in the format; core puts the name of the file and the line, row or
                record before the message.
        """
        ...


@dataclass(frozen=True)
class InstalledReader:
    """A reader of a plugin.

    Attributes:
        name: its qualified name, "package:name".
        label: its name in messages.
        version: the version of its plugin.
        endings: the suffixes of its files.
        matches: whether a file is in its format, by name and first bytes; None: by the suffix alone.
        text: whether it reads lines of text.
        table: whether it yields rows of a table.
        options: the options it is built with.
        build: builds it.
        code: returns a digest of its code.
    """

    name: str
    label: str
    version: str
    endings: tuple[str, ...]
    matches: Callable[[str, bytes], bool] | None = field(compare=False)
    text: bool
    table: bool
    options: Mapping[str, Any] = field(compare=False)
    build: Callable[[], Reader] = field(compare=False)
    code: Callable[[], str] = field(default=str, compare=False)


class Readers(NamedTuple):
    """The readers that files may be read by.

    Attributes:
        installed: those of all plugins.
        chosen: the one that the user chose for all files, or None.
    """

    installed: Sequence[InstalledReader] = ()
    chosen: InstalledReader | None = None

    def find(self, place: Place, *, known: bool, stream: bool) -> InstalledReader | None:
        """Return the reader of a file: the chosen one, else by its suffix, else by its first bytes; None if none is.

        Args:
            place: the file.
            known: whether core reads files with its suffix.
            stream: whether it is read as one long text; text is then read as it is.

        Raises:
            UsageError: several readers claim it, or it cannot be read.
        """
        if self.chosen is not None or known:
            return self.chosen
        fit, suffix = [reader for reader in self.installed if not (stream and reader.text)], suffix_of(name_of(place))
        claiming = [reader for reader in fit if suffix in reader.endings]
        if not claiming and any(reader.matches is not None for reader in fit):
            with open_bytes(place, binary=True) as file:
                start = decoded_start(file.read(START))
            claiming = [reader for reader in fit if reader.matches and reader.matches(name_of(place), start)]
        if len(claiming) > 1:
            ways = " or ".join(f"-o corpus.reader={reader.name}" for reader in claiming)
            raise UsageError(f"several readers claim {str(place)!r}; say which: {ways}")
        return claiming[0] if claiming else None


NO_READERS = Readers()


@dataclass
class Position:
    """The position of a reader in its file, for messages.

    Attributes:
        unit: "line", if the reader is given lines, else "row" or "record".
        number: the number from 1 of the last line that it was given, or of the last row or record that it yielded; 0
            before the first.
    """

    unit: str
    number: int = 0

    def __str__(self) -> str:
        """Return the position as it follows the name of the file: ", line 3", ", after record 3"."""
        after = "" if self.unit == "line" else "after "
        return f", {after}{self.unit} {self.number}" if self.number else ""


def read_items(file: TextFile, reader: InstalledReader, position: Position, counts: Counter[str]) -> Iterator[Item]:
    """Yield what a reader yields of a file, checked, while keeping its position.

    Raises (while iterating):
        CorpusError: the file is damaged, or not in the reader's format.
        PluginError: the reader failed, or yielded something else.
    """
    built, own, fault_of = reader.build(), list[SeqgenError](), _row_fault if reader.table else record_fault
    with _source_of(file, reader, position, counts, own) as source:
        try:
            for item in built.read(source):
                position.number += not reader.text
                if fault := fault_of(item):
                    raise PluginError(f"{reader.label}: read yielded {fault}")
                yield item
            found = getattr(built, "counts", {})
            if not _are_counts(found):
                raise PluginError(f"{reader.label}: counts is {short_repr(found)}, not numbers by description")
            counts.update(found)
        except CorpusError as error:
            if error in own:
                raise
            raise CorpusError(f"{str(file.path)!r}{position}: {error}") from None
        except _OF_THE_FILE:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            failed = f"{reader.label} fails on {str(file.path)!r}{position}"
            raise PluginError(f"{failed}: {type(error).__name__}: {one_line(error)}") from error


def _row_fault(item: object) -> str:
    """Return what is wrong with a row that a reader yielded, as it follows "yielded"; "" for a row."""
    if not isinstance(item, Mapping):
        return f"{short_repr(item)}, not a mapping of columns to values"
    odd = [name for name in item if not isinstance(name, str)]
    return f"the column name {short_repr(odd[0])}, which is not a string" if odd else ""


def _are_counts(found: object) -> bool:
    """Return whether something maps descriptions to numbers of records."""
    return isinstance(found, Mapping) and all(
        isinstance(name, str) and isinstance(n, Integral) and not isinstance(n, bool) for name, n in found.items()
    )


@contextlib.contextmanager
def _source_of(
    file: TextFile, reader: InstalledReader, position: Position, counts: Counter[str], own: list[SeqgenError]
) -> Iterator[Iterator[str] | BinaryIO]:
    """Open a file as its reader takes it; ``own`` gets the errors of core that are raised through the reader."""
    if not reader.text:
        with open_bytes(file.path, binary=True) as opened:
            yield opened
        return
    most = max(_MAX_RAW_CHARS, file.max_line_chars)
    raw = replace(file, max_line_chars=most, long_lines="refuse", counts={})

    def lines() -> Iterator[str]:
        try:
            for found, n_empty in raw.lines(text, counts):
                for line in itertools.chain(found, itertools.repeat("", n_empty)):
                    position.number += 1
                    yield line or ""
        except UnicodeError as error:  # which would pass for a fault of the reader
            own.append(undecodable(file.path, text.encoding, error))
            raise own[-1] from None
        except SeqgenError as error:
            own.append(error)
            raise

    with raw.opened() as text:
        yield lines()


@dataclass(frozen=True)
class ReaderRecords(FileSource):
    """The records of a file, as a plugin's reader yields them; each iteration reads the file again.

    Attributes:
        file: the file, with the options of all files.
        reader: its reader.

    Raises (while iterating): as ``read_items`` does, and
        CorpusError: a record is too long.
    """

    reader: InstalledReader

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records from the first one."""
        counts, position = Counter[str](), Position("line" if self.reader.text else "record")
        for number, item in enumerate(read_items(self.file, self.reader, position, counts), 1):
            assert isinstance(item, Record)
            text = self.file.cleaned(item.text)
            if not text or text.isspace():
                counts[EMPTY] += 1
            elif self.file.takes(text, f"record {number}", counts):
                label = self.file.label if item.label is None else item.label
                yield Record(text, label, item.fields, self.file.split or item.split)
        self.file.store_counts(counts)

    def stamp(self) -> list[object]:
        """Return a value that changes when the records do."""
        return [self.file.stamp(), *stamp_of_reader(self.reader)]


@dataclass(frozen=True)
class ReaderTable(Table):
    """The rows of a file as records, as a plugin's reader yields them.

    Attributes:
        reader: its reader.

    Raises (while iterating): as ``Table`` and ``read_items`` do.
    """

    reader: InstalledReader = field(kw_only=True)
    unit: ClassVar[str] = "row"

    def rows(self, counts: Counter[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield the rows, numbered from 1."""
        position = Position("line" if self.reader.text else "row")
        for item in read_items(self.file, self.reader, position, counts):
            assert isinstance(item, Mapping)
            yield position.number, item

    def stamp(self) -> list[object]:
        """Return a value that changes when the records do."""
        return [*super().stamp(), *stamp_of_reader(self.reader)]


def stamp_of_reader(reader: InstalledReader) -> list[object]:
    """Return JSON values that change when a reader does."""
    options = {name: str(value) for name, value in sorted(reader.options.items())}
    return [reader.name, reader.version, reader.code(), options]


def read_by(file: TextFile, reader: InstalledReader, columns: Any) -> ReaderRecords | ReaderTable:
    """Return the records of a file that a reader reads.

    Raises:
        BadOption: lines cannot be skipped, since they are parts of records.
    """
    if reader.text and file.encoding_errors == "skip":
        raise BadOption(
            f"cannot skip undecodable lines of {str(file.path)!r}: a line is part of a record; "
            "-o corpus.encoding_errors=replace puts U+FFFD"
        )
    if reader.table:
        return ReaderTable(file, "rows", columns, reader=reader)
    return ReaderRecords(file, reader)
