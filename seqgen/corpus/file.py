"""The corpus ``file``: how any file becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field

from seqgen.corpus.corpus import Record, get_counts, get_source_files, get_stamp
from seqgen.corpus.decoding import UTF8, Errors, check_encoding
from seqgen.corpus.file_formats import LINE, refuse_text_format
from seqgen.corpus.readers import MAX_LINE_CHARS, Normal, TextFile
from seqgen.corpus.separated import SeparatedRecords
from seqgen.corpus.tables import Columns, Table, TableForm
from seqgen.corpus.trailing import TrailingNames
from seqgen.errors import BadOption

Form = Literal["auto", "text", "jsonl", "csv", "tsv"]
_FORMS: dict[str, Form] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv",
}  # fmt: skip
_STREAM_CHARS = 1 << 16


def file_suffix(path: Path) -> str:
    """The end of a file's name, ".gz" aside, in small letters: ".csv"; "" if it has none."""
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    return endings[-1] if endings else ""


def guess_form(path: Path) -> Form | None:
    """The form of a file by the end of its name; None where that says nothing."""
    return _FORMS.get(file_suffix(path))


@dataclass(frozen=True)
class LongText:
    """A file as one long text: records that follow one another, line ends and blank lines kept.

    Attributes:
        file: the file.
    """

    file: TextFile

    def __iter__(self) -> Iterator[Record]:
        """The pieces, from the first."""
        for text in self.file.blocks():
            yield Record(text, split=self.file.split)

    @property
    def counts(self) -> Mapping[str, int]:
        """What the last pass to the end skipped or changed."""
        return self.file.counts

    def stamp(self) -> list[object]:
        """What changes when the text does."""
        return self.file.stamp()

    def source_files(self) -> list[Path]:
        """The file, in a list."""
        return self.file.source_files()


@dataclass(frozen=True)
class ConcatenatedRecords:
    """Records as one long text, each with a line end.

    Attributes:
        source: the records.
    """

    source: Iterable[Record]

    def __iter__(self) -> Iterator[Record]:
        """The pieces, from the first."""
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
        """What the last pass to the end skipped or changed."""
        return get_counts(self.source)

    def stamp(self) -> object:
        """What changes when the text does, or None if the records cannot tell."""
        return get_stamp(self.source)

    def source_files(self) -> list[Path]:
        """The files that the records are read from."""
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
    """Refuse a file that would be read as a record a line, and looks as if its records were others.

    Args:
        path: the file.
        form: what it holds, as of ``load_file``.
        encoding: of the file.
        layout: "lines" or "stream".
        separator: how a record's first line begins, if that is said.
        **others: further options of ``load_file``, which do not matter here.

    Raises:
        CorpusError: its first lines are those of a known kind, such as FASTA.
        UsageError: there is no such file.
    """
    kind = form if form != "auto" else guess_form(Path(path)) or "text"
    if layout == "lines" and separator is None and kind in ("text", "jsonl"):
        start = TextFile(Path(path), encoding=check_encoding(encoding)).head()
        refuse_text_format(path, start, of_objects=kind == "jsonl")


def load_file(
    *,
    path: Annotated[str, Field(min_length=1, description="the file, gzipped or not")],
    form: Annotated[
        Form, Field(description="what it holds; auto goes by the ending: .jsonl, .json, .csv, .tsv, else text")
    ] = "auto",
    text_field: Annotated[
        str | None,
        Field(
            description="the field that is the text; left out: the only one, or one called text, name, title or smiles"
        ),
    ] = None,
    label_field: Annotated[str | None, Field(description="the field that is the label")] = None,
    fields: Annotated[
        str | None, Field(description="fields with commas, whose lines name=value are the text: name,cost,type")
    ] = None,
    max_line_chars: Annotated[
        int, Field(ge=1, description="the longest line of records, in characters")
    ] = MAX_LINE_CHARS,
    long_lines: Annotated[Literal["refuse", "skip"], Field(description="what becomes of a longer line")] = "refuse",
    encoding: Annotated[
        str, Field(min_length=1, description="of the file, by Python's name: utf-16, latin-1, cp1252")
    ] = UTF8,
    encoding_errors: Annotated[
        Errors,
        Field(description="bytes that are no text: refused, each made U+FFFD, or their lines skipped"),
    ] = "strict",
    strip: Annotated[bool, Field(description="whether white space around a text is dropped")] = False,
    normalize: Annotated[Normal, Field(description="the Unicode form that texts are brought to")] = "none",
    separator: Annotated[
        str | None,
        Field(
            description="how the first line of a record of several lines begins, such as X:; nothing: blank lines are "
            "between records; line: a record a line, whatever the file looks like"
        ),
    ] = None,
    trailing_names: Annotated[
        bool, Field(description="whether the first word of a line of plain text is the text, and the rest its name")
    ] = False,
    layout: Annotated[
        Literal["lines", "stream"], Field(description="a record a line, or one long text: --layout")
    ] = "lines",
) -> Iterable[Record]:
    """A file as a restartable iterable of records.

    Raises:
        BadOption: the options do not go together.
    """
    file = TextFile(
        Path(path), max_line_chars=max_line_chars, long_lines=long_lines, encoding=check_encoding(encoding),
        encoding_errors=encoding_errors, strip=strip, normalize=normalize,
    )  # fmt: skip
    kind: Form = form if form != "auto" else guess_form(file.path) or "text"
    if separator is not None and (kind not in ("auto", "text") or layout == "stream"):
        what = "one long text (--layout stream)" if layout == "stream" else f"a table ({kind})"
        raise BadOption(f"separator {separator!r} is of plain text with records, and {path!r} is read as {what}")
    if trailing_names and (layout == "stream" or separator not in (None, LINE)):
        raise BadOption("trailing_names is of plain text with a record a line: leave out the layout or the separator")
    if kind in ("auto", "text"):
        if text_field or label_field or fields:
            raise BadOption(
                f"{path!r} is plain text, which has no fields; -o corpus.form=jsonl, csv or tsv says otherwise"
            )
        if layout == "stream" and (strip or normalize != "none" or long_lines == "skip"):
            raise BadOption("one long text (--layout stream) has no lines to strip, normalize or skip")
        if separator not in (None, LINE):
            return SeparatedRecords(file, separator)
        if layout == "stream":
            return LongText(file)
        return TrailingNames(file) if trailing_names else file
    if long_lines == "skip" and kind in ("csv", "tsv"):
        raise BadOption(f"a line of {path!r} may be part of a quoted value, so long ones cannot be skipped")
    if fields and text_field:
        raise BadOption("give text_field or fields, not both")
    columns = Columns(text_field, label_field, [name.strip() for name in (fields or "").split(",") if name.strip()])
    table = Table(file, cast("TableForm", kind), columns)
    return ConcatenatedRecords(table) if layout == "stream" else table
