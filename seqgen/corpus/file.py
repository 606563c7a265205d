"""The corpus ``file``: how any file becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field

from seqgen.corpus.corpus import Record, stamp_of
from seqgen.corpus.readers import MAX_LINE_CHARS, TextFile
from seqgen.corpus.tables import Columns, Table, TableForm
from seqgen.errors import BadOption

Form = Literal["auto", "text", "jsonl", "csv", "tsv"]
_FORMS: dict[str, Form] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv",
}  # fmt: skip
_STREAM_CHARS = 1 << 16


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

    def stamp(self) -> list[object]:
        """What changes when the text does."""
        return self.file.stamp()


@dataclass(frozen=True)
class Joined:
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

    def stamp(self) -> object:
        """What changes when the text does, or None if the records cannot tell."""
        return stamp_of(self.source)


def load_file(
    *,
    path: Annotated[str, Field(min_length=1, description="the file, gzipped or not")],
    form: Annotated[
        Form, Field(description="what it holds; auto goes by the ending: .jsonl, .csv, .tsv, else text")
    ] = "auto",
    text_field: Annotated[
        str | None, Field(description="the field that is the text; left out: the only one, or one called text or name")
    ] = None,
    label_field: Annotated[str | None, Field(description="the field that is the label")] = None,
    fields: Annotated[
        str | None, Field(description="fields with commas, whose lines name=value are the text: name,cost,type")
    ] = None,
    max_line_chars: Annotated[
        int, Field(ge=1, description="a longer line, in characters, is refused")
    ] = MAX_LINE_CHARS,
    layout: Annotated[
        Literal["lines", "stream"], Field(description="a record a line, or one long text: --layout")
    ] = "lines",
) -> Iterable[Record]:
    """A file as a restartable iterable of records.

    Raises:
        BadOption: the options do not go together.
    """
    file = TextFile(Path(path), max_line_chars=max_line_chars)
    endings = [ending.lower() for ending in file.path.suffixes if ending.lower() != ".gz"]
    kind: Form = form if form != "auto" else _FORMS.get(endings[-1] if endings else "", "text")
    if kind in ("auto", "text"):
        if text_field or label_field or fields:
            raise BadOption(
                f"{path!r} is plain text, which has no fields; -o corpus.form=jsonl, csv or tsv says otherwise"
            )
        return LongText(file) if layout == "stream" else file
    if fields and text_field:
        raise BadOption("give text_field or fields, not both")
    columns = Columns(text_field, label_field, [name.strip() for name in (fields or "").split(",") if name.strip()])
    table = Table(file, cast("TableForm", kind), columns)
    return Joined(table) if layout == "stream" else table
