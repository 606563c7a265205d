"""The built-in corpus ``file``: any file read as records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field

from seqgen.corpus.corpus import Record, get_counts, get_source_files, get_stamp
from seqgen.corpus.opening import LINE, UTF8, Errors, check_encoding, refuse_text_format
from seqgen.corpus.readers import MAX_LINE_CHARS, FileSource, Normal, TextFile
from seqgen.corpus.separated import SeparatedRecords
from seqgen.corpus.tables import Columns, Table, TableForm
from seqgen.errors import BadOption

Form = Literal["auto", "text", "jsonl", "csv", "tsv"]
_FORMS: dict[str, Form] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv",
}  # fmt: skip
_STREAM_CHARS = 1 << 16


def file_suffix(path: Path) -> str:
    """Return the last suffix of a file name in lower case, ignoring ".gz"; "" if there is none."""
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    return endings[-1] if endings else ""


def guess_form(path: Path) -> Form | None:
    """Return the form of a file by its suffix; None if the suffix is unknown."""
    return _FORMS.get(file_suffix(path))


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


def refuse_known_formats(
    path: str,
    *,
    form: Form = "auto",
    encoding: str = UTF8,
    layout: str = "lines",
    separator: str | None = None,
    **others: object,
) -> None:
    """Refuse a file in a known format, such as FASTA, that would be read as one record per line.

    Args:
        path: the file.
        form: the form of its content, as for ``load_file``.
        encoding: of the file.
        layout: "lines" or "stream".
        separator: the start of a record's first line, if given.
        **others: further options of ``load_file``, ignored.

    Raises:
        CorpusError: its first lines are in a known format of several lines per record.
        UsageError: there is no such file.
    """
    kind = form if form != "auto" else guess_form(Path(path)) or "text"
    if layout == "lines" and separator is None and kind in ("text", "jsonl"):
        start = TextFile(Path(path), encoding=check_encoding(encoding)).head()
        refuse_text_format(path, start, of_objects=kind == "jsonl")


def load_file(
    *,
    path: Annotated[str, Field(min_length=1, description="path of the file, gzipped or not")],
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
    max_line_chars: Annotated[int, Field(ge=1, description="longest line allowed, in characters")] = MAX_LINE_CHARS,
    long_lines: Annotated[Literal["refuse", "skip"], Field(description="refuse or skip longer lines")] = "refuse",
    encoding: Annotated[
        str, Field(min_length=1, description="encoding of the file, as Python names it: utf-16, latin-1, cp1252")
    ] = UTF8,
    encoding_errors: Annotated[
        Errors,
        Field(description="invalid bytes: refuse the file, replace them by U+FFFD, or skip their lines"),
    ] = "strict",
    strip: Annotated[bool, Field(description="strip white space around each text")] = False,
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
    layout: Annotated[Literal["lines", "stream"], Field(description="one record per line, or one long text")] = "lines",
) -> Iterable[Record]:
    """Read a file as a restartable iterable of records.

    Raises:
        BadOption: the options contradict each other.
    """
    file = TextFile(
        Path(path), max_line_chars=max_line_chars, long_lines=long_lines, encoding=check_encoding(encoding),
        encoding_errors=encoding_errors, strip=strip, normalize=normalize,
    )  # fmt: skip
    kind: Form = form if form != "auto" else guess_form(file.path) or "text"
    if separator is not None and (kind not in ("auto", "text") or layout == "stream"):
        what = "one long text (--layout stream)" if layout == "stream" else f"a table ({kind})"
        raise BadOption(f"separator {separator!r} applies to records of plain text, and {path!r} is read as {what}")
    if trailing_names and (layout == "stream" or separator not in (None, LINE)):
        raise BadOption("trailing_names needs plain text with one record per line: omit the layout or the separator")
    if kind in ("auto", "text"):
        if text_field or label_field or fields:
            raise BadOption(
                f"{path!r} is plain text, which has no fields; for a table pass -o corpus.form=jsonl, csv or tsv"
            )
        if layout == "stream" and (strip or normalize != "none" or long_lines == "skip"):
            raise BadOption("one long text (--layout stream) has no lines to strip, normalize or skip")
        if separator not in (None, LINE):
            return SeparatedRecords(file, separator)
        if layout == "stream":
            return LongText(file)
        return TrailingNames(file) if trailing_names else file
    if long_lines == "skip" and kind in ("csv", "tsv"):
        raise BadOption(f"cannot skip long lines of {path!r}: a line may be part of a quoted value")
    if fields and text_field:
        raise BadOption("text_field and fields exclude each other: pass one of them")
    columns = Columns(text_field, label_field, [name.strip() for name in (fields or "").split(",") if name.strip()])
    table = Table(file, cast("TableForm", kind), columns)
    return ConcatenatedRecords(table) if layout == "stream" else table


NAME = "name"


@dataclass(frozen=True)
class TrailingNames(FileSource):
    """The first word of each line as the text, and the rest as the record's field ``name``.

    Attributes:
        file: the lines.

    Raises (while iterating): as ``TextFile`` does.
    """

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records from the first line."""
        for record in self.file:
            words = record.text.split(None, 1)
            if words[0] == record.text:
                yield record
            else:
                fields = {NAME: name} if (name := "".join(words[1:]).rstrip()) else {}
                yield Record(words[0], record.label, fields, record.split)

    def stamp(self) -> list[object]:
        """Return a value that changes when the records do."""
        return [self.file.stamp(), NAME]
