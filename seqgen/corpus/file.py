"""The built-in corpus ``file``: any file, or several, read as records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from seqgen.corpus.corpus import Record, get_counts, get_source_files, get_stamp
from seqgen.corpus.opening import LINE, UTF8, Errors, check_encoding, refuse_text_format, refuse_unmarked
from seqgen.corpus.places import Place, ZipMember, find_places, find_places_counted, is_several, name_of, suffix_of
from seqgen.corpus.readers import MAX_LINE_CHARS, FileSource, Normal, TextFile
from seqgen.corpus.reading import NO_READERS, InstalledReader, Readers, read_by
from seqgen.corpus.separated import SeparatedRecords
from seqgen.corpus.several import JoinedFiles
from seqgen.corpus.tables import Columns, Table, TableForm
from seqgen.errors import BadOption, CorpusError

Form = Literal["auto", "text", "jsonl", "csv", "tsv"]
_FORMS: dict[str, Form] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv",
}  # fmt: skip
_STREAM_CHARS = 1 << 16
_MOST_LINE_CHARS = 2**31 - 1  # more, as is given for "no limit", csv does not take on every system
_NO_OPTIONS: dict[str, Any] = {}


def guess_form(name: str) -> Form | None:
    """Return the form of a file by the suffix of its name; None if the suffix is unknown."""
    return _FORMS.get(suffix_of(name))


@dataclass(frozen=True)
class LongText(FileSource):
    """A file read as one long text: consecutive pieces, with line ends and blank lines kept.

    Attributes:
        file: the file.
    """

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the pieces from the first one."""
        for text in self.file.blocks():
            yield Record(text, split=self.file.split)


@dataclass(frozen=True)
class ConcatenatedRecords:
    """Records joined into one long text, each followed by a line end.

    Attributes:
        source: the records.
    """

    source: Iterable[Record]

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the pieces of the text from the first one."""
        pieces: list[str] = []
        size, split = 0, None
        for record in self.source:
            if pieces and (size > _STREAM_CHARS or record.split != split):
                yield Record("".join(pieces), split=split)
                pieces, size = [], 0
            split = record.split
            pieces.append(record.text + "\n")
            size += len(pieces[-1])
        if pieces:
            yield Record("".join(pieces), split=split)

    @property
    def counts(self) -> Mapping[str, int]:
        """Return what the last complete pass skipped or changed."""
        return get_counts(self.source)

    def stamp(self) -> object:
        """Return a value that changes when the text does; None if the records have no stamp."""
        return get_stamp(self.source)

    def source_files(self) -> list[Path]:
        """Return the files that the records are read from."""
        return get_source_files(self.source)


@dataclass(frozen=True)
class FileKinds:
    """The choice of how each file of a corpus is read, by the options and its name.

    Attributes:
        form: the form of each; "auto": by its suffix.
        layout: "lines" or "stream".
        separator: the start of the first line of a record, if given.
        readers: the readers of plugins.
    """

    form: Form = "auto"
    layout: str = "lines"
    separator: str | None = None
    readers: Readers = NO_READERS
    _found: dict[Place, InstalledReader | Form] = field(default_factory=dict, repr=False, compare=False)

    def find(self, place: Place) -> InstalledReader | Form:
        """Return the reader of a file, or its form: "text", "jsonl", "csv" or "tsv"; a file is looked into once.

        Raises:
            UsageError: several readers claim it, or it cannot be read.
        """
        if place not in self._found:  # asked for at each pass and each stamp, of folders with thousands of files
            self._found[place] = self._find(place)
        return self._found[place]

    def _find(self, place: Place) -> InstalledReader | Form:
        suffix = guess_form(name_of(place))
        known = self.form != "auto" or self.separator is not None or suffix is not None
        reader = self.readers.find(place, known=known, stream=self.layout == "stream")
        return reader or (self.form if self.form != "auto" else suffix or "text")

    def describe(self, place: Place) -> str:
        """Return how a file is read, for messages: "as plain text"."""
        kind = self.find(place)
        if isinstance(kind, InstalledReader):
            return f"by the {kind.label.partition(' of ')[0]}"
        return "as plain text" if kind == "text" else f"as {kind.upper()}"

    def is_table(self, place: Place) -> bool:
        """Return whether a file is read as a table."""
        return _is_table(self.find(place))

    def has_table(self, path: str | Sequence[str]) -> bool:
        """Return whether a file, or any of those that a path names, is read as a table."""
        return any(map(self.is_table, find_places(path)))

    def refuse_known_formats(self, path: str | Sequence[str], encoding: str = UTF8) -> None:
        """Refuse a file in a known format, such as FASTA, that would be read as one record per line.

        Args:
            path: the file, or several, as for ``load_file``.
            encoding: of the file.

        Raises:
            CorpusError: its first lines are in a known format of several lines per record, or it is in UTF-16 or
                UTF-32 without a mark.
            UsageError: there is no such file.
        """
        places, has_lines = find_places(path), self.layout == "lines" and self.separator is None
        for place in places:
            try:
                kind = self.find(place)
                if check_encoding(encoding) == UTF8 and not isinstance(kind, InstalledReader):
                    refuse_unmarked(place)
                if has_lines and kind == "text":
                    refuse_text_format(str(place), TextFile(place, encoding=check_encoding(encoding)).head())
            except CorpusError as error:
                if len(places) == 1 or isinstance(place, ZipMember):
                    raise
                raise CorpusError(f"{error}; a pattern, such as --corpus '*.txt', leaves files out") from None


def _is_table(kind: InstalledReader | Form) -> bool:
    return kind.table if isinstance(kind, InstalledReader) else kind != "text"


@dataclass(frozen=True)
class _Reading:
    """The options by which each file of a corpus is read.

    Attributes:
        file: a file with the options of all.
        kinds: how each is read.
        columns: the fields of tables.
        trailing_names: whether names follow the texts.
        headings: first words of a first line that is no record then.
        has_table: whether any file is a table, so that plain text beside it may lack the fields.
    """

    file: TextFile
    kinds: FileKinds
    columns: Columns
    trailing_names: bool
    headings: tuple[str, ...]
    has_table: bool

    def source(self, place: Place) -> Iterable[Record]:
        """Return the records of a file.

        Raises:
            BadOption: the options do not apply to it.
        """
        file, kind = replace(self.file, path=place, counts={}), self.kinds.find(place)
        shown, stream, separator = str(place), self.kinds.layout == "stream", self.kinds.separator
        if separator is not None and (kind != "text" or stream):
            named = kind.label if isinstance(kind, InstalledReader) else f"a table ({kind})"
            what = "one long text (--layout stream)" if stream else named
            raise BadOption(
                f"separator {separator!r} applies to records of plain text, and {shown!r} is read as {what}"
            )
        if not _is_table(kind) and self.columns != Columns() and not self.has_table:
            if isinstance(kind, InstalledReader):
                raise BadOption(
                    f"{shown!r} is read as {kind.label}, whose records bring their texts and fields: drop the options "
                    "text_field, label_field and fields; --condition NAME takes a field"
                )
            raise BadOption(
                f"{shown!r} is plain text, which has no fields; for a table pass -o corpus.form=jsonl, csv or tsv"
            )
        if kind == "text":
            return self._plain(file)
        if isinstance(kind, InstalledReader):
            read: Iterable[Record] = read_by(file, kind, self.columns)
        elif file.long_lines == "skip" and kind in ("csv", "tsv"):
            raise BadOption(f"cannot skip long lines of {shown!r}: a line may be part of a quoted value")
        else:
            read = Table(file, cast("TableForm", kind), self.columns)
        return ConcatenatedRecords(read) if stream else read

    def _plain(self, file: TextFile) -> Iterable[Record]:
        if self.kinds.layout == "stream":
            if file.strip or file.normalize != "none" or file.long_lines == "skip":
                raise BadOption("one long text (--layout stream) has no lines to strip, normalize or skip")
            return LongText(file)
        if self.kinds.separator not in (None, LINE):
            return SeparatedRecords(file, self.kinds.separator)
        return TrailingNames(file, self.headings) if self.trailing_names else file


def load_file(
    readers: Readers = NO_READERS,
    /,
    *,
    path: Annotated[
        str | list[str],
        Field(min_length=1, description="path of a file, folder or .zip archive, a pattern, or a list of these"),
    ],
    form: Annotated[
        Form, Field(description="file format; auto goes by the suffix: .jsonl, .json, .csv, .tsv, else text")
    ] = "auto",
    text_field: Annotated[
        str | None,
        Field(description="field with the text; default: the only one, or one named text, name, title or smiles"),
    ] = None,
    label_field: Annotated[str | None, Field(description="field with the label")] = None,
    fields: Annotated[
        str | None, Field(description="comma-separated fields that make up the text as lines name=value")
    ] = None,
    max_line_chars: Annotated[
        int, Field(ge=1, lt=2**63, description="longest line allowed, in characters")
    ] = MAX_LINE_CHARS,
    long_lines: Annotated[Literal["refuse", "skip"], Field(description="refuse or skip longer lines")] = "refuse",
    encoding: Annotated[
        str, Field(min_length=1, description="encoding of the file, as Python names it: utf-16, latin-1, cp1252")
    ] = UTF8,
    encoding_errors: Annotated[
        Errors,
        Field(description="invalid bytes: refuse the file, replace them by U+FFFD, or skip their lines"),
    ] = "strict",
    strip: Annotated[
        bool, Field(description="strip white space around each text, and around cells of a table")
    ] = False,
    normalize: Annotated[Normal, Field(description="Unicode normalization form of the texts")] = "none",
    separator: Annotated[
        str | None,
        Field(
            description="start of the first line of each record, such as X:; empty: records are separated by blank "
            "lines; line: one record per line, without checking the file's format"
        ),
    ] = None,
    trailing_names: Annotated[
        bool, Field(description="take the first word of each line as the text and the rest as its name")
    ] = False,
    headings: Annotated[
        tuple[str, ...],
        Field(description="first words, in lower case, of a first line that is no record, with trailing_names"),
    ] = (),
    layout: Annotated[Literal["lines", "stream"], Field(description="one record per line, or one long text")] = "lines",
    reader: Annotated[str | None, Field(description="reader of all files (seqgen list readers)")] = None,
    reader_options: Annotated[
        dict[str, Any], Field(description="options of the reader, given as -o reader.NAME=VALUE")
    ] = _NO_OPTIONS,
) -> Iterable[Record]:
    """Read a file, or several as one corpus, as a restartable iterable of records.

    ``readers`` are those of plugins, built with ``reader_options``, among them the one that ``reader`` names.

    Raises:
        BadOption: the options contradict each other.
        UsageError, CorpusError: the path names no file, or a damaged archive.
    """
    if trailing_names and (layout == "stream" or separator not in (None, LINE)):
        raise BadOption("trailing_names needs plain text with one record per line: omit the layout or the separator")
    if reader is not None and (form != "auto" or separator is not None):
        raise BadOption(f"the reader {reader!r} excludes the options form and separator: omit one or the other")
    if fields and text_field:
        raise BadOption("text_field and fields exclude each other: pass one of them")
    named = () if fields is None else tuple(name.strip() for name in fields.split(","))
    if not all(named):
        raise BadOption(f"fields is {fields!r}, with an empty name: write the names of fields, such as name,kind")
    places, skipped = find_places_counted(path)
    file = TextFile(
        places[0], max_line_chars=min(max_line_chars, _MOST_LINE_CHARS), long_lines=long_lines,
        encoding=check_encoding(encoding), encoding_errors=encoding_errors, strip=strip, normalize=normalize,
    )  # fmt: skip
    columns = Columns(text_field, label_field, named)
    kinds = FileKinds(form, layout, separator, readers)
    tables = columns != Columns() and len(places) > 1 and any(map(kinds.is_table, places))
    reading = _Reading(file, kinds, columns, trailing_names, tuple(headings), tables)
    if not is_several(path):
        return reading.source(places[0])
    return JoinedFiles(tuple(places), reading.source, layout == "stream", kinds.describe, skipped)


NAME = "name"


@dataclass(frozen=True)
class TrailingNames(FileSource):
    """The first word of each line as the text, and the rest as the record's field ``name``.

    Attributes:
        file: the lines.
        headings: first words of a first line that is no record, in lower case.

    Raises (while iterating): as ``TextFile`` does.
    """

    headings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records from the first line, or from the second behind a heading."""
        n_headings = 0
        for number, record in enumerate(self.file):
            words = record.text.split(None, 1)
            if not number and words[0].casefold() in self.headings:
                n_headings = 1
                continue
            if words[0] == record.text:
                yield record
            else:
                fields = {NAME: name} if (name := "".join(words[1:]).rstrip()) else {}
                yield Record(words[0], record.label, fields, record.split)
        self.file.store_counts({**self.file.counts, "headings skipped": n_headings})

    def stamp(self) -> list[object]:
        """Return a value that changes when the records do."""
        return [self.file.stamp(), NAME, *self.headings]
