"""Records from files with named fields: JSON Lines or an array, comma- or tab-separated values."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from seqgen.corpus.corpus import Record
from seqgen.corpus.json_array import DECODER, JsonArray, RepeatedName, explain
from seqgen.corpus.opening import is_decodable, replace_undecodable
from seqgen.corpus.readers import SKIPS_LONG, FileSource
from seqgen.errors import BadOption, CorpusError, UsageError, did_you_mean, short_repr, shortened

TableForm = Literal["jsonl", "csv", "tsv", "rows"]
_SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SEPARATORS = tuple(_SEPARATOR_NAMES)  # of .csv files written by spreadsheets and databases
_SEP_LINE = re.compile("sep=([,;\t|])")  # a first line that Excel understands
_CHECKED = 1000  # rows
_MAX_BLOCKS = 1000  # of a file that is read to say what is wrong with it
_MAX_DEPTH = 100  # nested lists or objects in the value of a field
_SHOWN = 40  # characters of a row
_INNER = 'inside a text in quotes, a quote is written twice: "say ""hi"""'
_QUOTES = {  # by a part of the message of Python's csv module
    "unexpected end of data": f"a quote opened here is not closed; {_INNER}",
    "expected after": f"a closing quote is not followed by the end of the field; {_INNER}",
}
_USUAL = ("text", "name", "title", "smiles", "SMILES")  # default names of the text field

_LATE = "or the quote that opens it is closed too late"  # of what is too long in csv and tsv
_GUESSED = {  # what is counted of a text field with an unusual name, which may be a record of a table without names
    "csv": "row taken as the heading", "tsv": "row taken as the heading", "rows": "column taken as the text",
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """The fields that make up a record.

    Attributes:
        text: the field with the text; None for the only field, or one with a usual name.
        label: the field with the label, if any.
        text_fields: the fields that make up the text as lines "name=value", instead of ``text``.
    """

    text: str | None = None
    label: str | None = None
    text_fields: Sequence[str] = ()

    @property
    def is_chosen(self) -> bool:
        """True if it is said which fields are the text."""
        return self.text is not None or bool(self.text_fields)


@dataclass(frozen=True)
class Table(FileSource):
    """The rows of a file as records; the remaining columns become the record's fields.

    A field without a value (empty or null) is left out. Rows without text are skipped.

    Attributes:
        file: the file to read; its label applies to rows without one.
        form: "jsonl" (an object or a string per line, or one array of them), "csv" or "tsv" (the first row holds the
            column names). The separator of "csv" (comma, semicolon, tab or bar) is detected from the first row, or
            given by a line "sep=;".
        columns: the fields that make up a record.
        unit: the part of a file that a row is, in messages.

    Raises (while iterating):
        UsageError: there is no such file or field.
        CorpusError: the file cannot be read or is not in that form.
    """

    form: TableForm
    unit: ClassVar[str] = "line"
    columns: Columns = field(default_factory=Columns)

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records; the first row determines the text field."""
        name, counts, hint = None, Counter[str](), _LATE if self.form in ("csv", "tsv") else SKIPS_LONG
        for number, row in self.rows(counts):
            if name is None:
                name = self._text_field(row)
                self._refuse_columns(number, row, name)
                if self.form in _GUESSED and not self.columns.is_chosen and name not in _USUAL:
                    counts[f"{_GUESSED[self.form]}: {short_repr(name, 40)}"] += 1
            if not self.columns.text_fields:
                self._refuse_no_text(number, row, name)
            record = self._record(row, name)
            if not record.text.strip():
                counts["rows without text skipped"] += 1
            elif self.file.takes(record.text, f"{self.unit} {number}", counts, hint):
                counts["rows without label kept"] += self.columns.label is not None and record.label is None
                yield record
        self.file.store_counts(counts)

    def field_names(self) -> list[str]:
        """Return the field names of the first row, of objects those of the first thousand; [] if there is no row.

        Raises:
            UsageError, CorpusError: as while iterating.
        """
        return next((list(self._first_fields(row)) for _, row in self.rows(Counter())), [])

    def text_field(self) -> str | None:
        """Return the field that is the text; None if there is no row, or several fields make up the text.

        Raises:
            UsageError, CorpusError: as while iterating.
        """
        return next((self._text_field(row) for _, row in self.rows(Counter())), None) or None

    def taken_field(self) -> str:
        """Return the field that is the text, where there are several and none was chosen; else ""."""
        row = None if self.columns.is_chosen else next((row for _, row in self.rows(Counter())), None)
        return "" if row is None or len(self._first_fields(row)) < 2 else self._text_field(row)

    def rows(self, counts: Counter[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield the rows, each with its line, and add to ``counts``."""
        return self._json_rows(counts) if self.form == "jsonl" else self._separated_rows(counts)

    def stamp(self) -> list[object]:
        """Return a value that changes when the records do."""
        return [self.file.stamp(), self.form, self.columns.text, self.columns.label, list(self.columns.text_fields)]

    def _refuse_no_text(self, number: int, row: Mapping[str, Any], name: str) -> None:
        """Refuse a row whose text is missing, or is a value that would not be trained on as it is."""
        if name not in row:
            raise CorpusError(f"{self._where(number)}: has no field {name!r}")
        if isinstance(row[name], bytes):
            raise CorpusError(f"{self._where(number)}: field {name!r} holds bytes that UTF-8 cannot decode")
        if self.form == "jsonl" and isinstance(row[name], list):
            way = "write each of its items as a record of its own, or pass --text-field NAME for another field"
            way = "save that list alone, as [...]" if self._is_one_row() else way
            raise CorpusError(
                f"{self._where(number)}: field {name!r} holds a list, not a text: {short_repr(row[name], 40)}; {way}"
            )

    def _refuse_columns(self, number: int, row: Mapping[str, Any], name: str) -> None:
        """Refuse a file that is one object of columns, whose values by row would be one text."""
        if self.form == "jsonl" and isinstance(row.get(name), dict) and self._is_one_row():
            raise CorpusError(
                f"{self._where(number)}: field {name!r} holds an object, not a text, and no other row follows: "
                f"{short_repr(row[name], 40)}; save a list of rows, as pandas does with to_json(PATH, orient='records')"
            )

    def _is_one_row(self) -> bool:
        return len(list(itertools.islice(self.rows(Counter()), 2))) == 1

    def _record(self, row: Mapping[str, Any], name: str) -> Record:
        columns = self.columns
        if self.file.strip:
            row = {key: value.strip() if isinstance(value, str) else value for key, value in row.items()}
        given = {key: value for key, value in row.items() if value is not None and value != ""}
        label = given.get(columns.label) if columns.label is not None else None
        if columns.text_fields:
            fields = {name: given[name] for name in columns.text_fields if name in given}
            text = self.file.cleaned(fields_to_text(fields))
        else:
            text = self.file.cleaned(_as_text(given.get(name, "")))
            fields = {key: value for key, value in given.items() if key not in (name, columns.label)}
        return Record(text, self.file.label if label is None else str(label), fields, self.file.split)

    def _text_field(self, row: Mapping[str, Any]) -> str:
        """Return the field that is the text; refuse names that are missing.

        It is the one that is chosen, one with a usual name, or else the only one of the first row. Of objects, which
        may lack some fields, the first thousand are looked at.

        Raises:
            UsageError: a field is missing, or none is clearly the text.
        """
        wanted = [self.columns.text, self.columns.label, *self.columns.text_fields]
        known = all(name is None or name in row for name in wanted)
        usual = self.columns.is_chosen or any(name in row for name in _USUAL)
        names = row if known and usual else self._first_fields(row)
        for name in wanted:
            if name is not None and name not in names:
                near = did_you_mean(name, names) or f"; it has {_listed(names)}"
                raise UsageError(f"{str(self.file.path)!r} has no field {name!r}{near}")
        if self.columns.is_chosen:
            return self.columns.text or ""
        rest = [name for name in row if name != self.columns.label]
        found = next((name for name in _USUAL if name in names and name != self.columns.label), "")
        inner = _list_in(row) if self.form == "jsonl" and not found else ""
        inner = inner if inner and self._is_one_row() else ""
        if not found and (len(rest) != 1 or rest[0] == inner):
            what = "objects" if inner and isinstance(row[inner][0], dict) else "strings"
            hint = f"; a list of {what} stands in it under {inner!r}: save that alone, as [...]" if inner else ""
            if self.form in ("csv", "tsv"):
                hint = " (the first row names the columns; if it is a record, put names above it)"
            path = str(self.file.path)
            if rest == [inner]:
                raise UsageError(f"cannot read the records of {path!r}: it is one object, not a list of records{hint}")
            raise UsageError(
                f"cannot tell which field of {path!r} is the text; pass --text-field NAME, or -o text_field=NAME; "
                f"it has {_listed(names)}{hint}"
            )
        return found or rest[0]

    def _first_fields(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields of the first row; of objects, which may lack some, of the first thousand together."""
        fields = dict(row)
        if self.form == "jsonl":
            for _, other in itertools.islice(self.rows(Counter()), _CHECKED):
                fields |= other
        return fields

    def _json_rows(self, counts: Counter[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        is_array = self.file.head().lstrip().startswith("[")
        if is_array and self.file.long_lines == "skip":
            raise BadOption(
                f"cannot skip long lines of {str(self.file.path)!r}: it is one JSON array, whose items are no lines; "
                "write an item in each line, or allow longer ones with -o corpus.max_line_chars=N"
            )
        for number, value in self._json_items(counts) if is_array else self._json_lines(counts):
            if not isinstance(value, dict | str):
                shown = json.dumps(value)[:40]
                raise CorpusError(f"{self._where(number)}: {shown!r} is neither an object nor a string")
            yield number, {"text": value} if isinstance(value, str) else value

    def _json_lines(self, counts: Counter[str]) -> Iterator[tuple[int, Any]]:
        for number, line in self.file.numbered_lines(counts):
            try:
                value = DECODER.decode(line)
            except json.JSONDecodeError as error:
                if number == 1 and line.lstrip().startswith("{") and error.pos >= len(line.rstrip()):
                    way = self._whole_object() or "write each in one line, or all as an array: [{...}, {...}]"
                    what = "not JSON by itself: the object is cut off, or goes on in the next line"
                    raise CorpusError(f"{self._where(1)}: {what}; {way}") from None
                raise CorpusError(f"{self._where(number)}: {explain(error, 'line')}") from None
            except RepeatedName as error:
                raise CorpusError(f"{self._where(number)}: {error}") from None
            except (ValueError, RecursionError) as error:
                raise CorpusError(f"{self._where(number)}: not JSON: {error}") from None
            if line.count("[") + line.count("{") > _MAX_DEPTH and _is_deep(value):
                raise self._too_deep(number)
            yield number, value

    def _whole_object(self) -> str:
        """Return what to do with a file that is one JSON object; "" if it is none."""
        whole = "".join(itertools.islice(self.file.blocks(), _MAX_BLOCKS))
        try:
            value = json.loads(whole)
        except (ValueError, RecursionError):
            return ""
        name = _list_in(value)
        where = f"a list stands in it under {name!r}: save that" if name else "save the list of its records"
        return f"the whole file is one object, not a list of records; {where} alone, as [...]"

    def _json_items(self, counts: Counter[str]) -> Iterator[tuple[int, Any]]:
        def problem(line: int, reason: str) -> CorpusError:
            return CorpusError(f"{self._where(line)}: {reason}")

        for number, value in JsonArray(self.file.blocks(), self.file.max_line_chars, problem):
            if _is_deep(value):
                raise self._too_deep(number)
            yield number, value
        counts.update(self.file.counts)

    def _too_deep(self, number: int) -> CorpusError:
        return CorpusError(f"{self._where(number)}: a value is nested more than {_MAX_DEPTH} levels deep")

    def _separated_rows(self, counts: Counter[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        with self.file.opened(newline="") as file:
            lines = self.file.bounded_lines(file)
            first, above = next(lines, "").removeprefix("\ufeff"), 0
            while first and not first.strip():  # blank lines above the names
                first, above = next(lines, ""), above + 1
            csv.field_size_limit(max(csv.field_size_limit(), self.file.max_line_chars))  # before any row is cut
            separator = "\t" if self.form == "tsv" else _separator(first)
            if (sep_line := _SEP_LINE.fullmatch(first.rstrip("\r\n"))) is not None and self.form == "csv":
                separator, first, above = sep_line[1], next(lines, ""), above + 1
            rows = csv.reader(itertools.chain([first], lines), delimiter=separator, strict=True)
            names: list[str] | None = None
            heading, begin, end, joined = list[str](), above, above, ""
            try:
                for read in rows:
                    begin, end = end + 1, above + rows.line_num
                    row = self._decoded(read, counts)
                    if row is None and names is None:
                        raise self.file.find_problem(skippable=False)
                    if row is None:
                        continue
                    if names is None:
                        names, heading = self._named(row, begin), row
                        continue
                    if not row:
                        continue
                    if row == heading and len(row) > 1:  # of files joined by cat
                        counts["rows that repeat the names of the columns skipped"] += 1
                        continue
                    if len(row) != len(names):
                        raise self._wrong_length(begin, row, names, separator)
                    if end > begin and _is_joined(row, separator):
                        joined = (
                            joined or f"rows whose quotes join lines that look like rows, first in {self._where(begin)}"
                        )
                        counts[joined] += 1
                    yield begin, {name: cell for name, cell in zip(names, row, strict=True) if name or len(names) == 1}
            except csv.Error as error:
                reason = next((reason for begin, reason in _QUOTES.items() if begin in str(error)), str(error))
                raise CorpusError(f"{self._where(end + 1)}: {reason}") from None

    def _wrong_length(self, line: int, row: list[str], names: list[str], separator: str) -> CorpusError:
        """Return the error of a row with more or fewer fields than there are names."""
        shown = shortened(separator.join(row), _SHOWN)
        many = f"{len(row)} field{'s' * (len(row) != 1)}, but the first row names {len(names)}: {shown!r}"
        which = _SEPARATOR_NAMES[separator]
        way = f"a text with a {which} stands in double quotes"
        if len(row) < len(names):
            way = f"a row has a {which} for an empty field too"
        elif len(names) == 1:
            way += "; if this is plain text, -o corpus.form=text reads its lines"
        return CorpusError(f"{self._where(line)}: {many}; {way}")

    def _named(self, row: list[str], line: int) -> list[str]:
        """Return the column names in the first row."""
        names = [name.strip() for name in row]
        for name, n in Counter(names).items():
            if n > 1 and name:
                raise CorpusError(f"{self._where(line)}: {n} columns are named {name!r}")
        return names

    def _decoded(self, row: list[str], counts: Counter[str]) -> list[str] | None:
        """Return a row with undecodable bytes handled; None if it is skipped for them."""
        if is_decodable(joined := "".join(row)):
            return row
        found = self.file.handle_undecodable(joined, counts)
        return None if found is None else [replace_undecodable(cell, "\ufffd")[0] for cell in row]

    def _where(self, number: int) -> str:
        return f"{str(self.file.path)!r}, {self.unit} {number}"


def _listed(names: Iterable[str]) -> str:
    """Return field names joined by commas; names that are not identifiers are quoted."""
    return ", ".join(name if name.isidentifier() else repr(name) for name in names)


def _as_text(value: Any) -> str:
    """Return a value as text; an object, an array or a truth value of JSON as JSON."""
    is_json = isinstance(value, dict | list | bool)
    return json.dumps(value, ensure_ascii=False, default=str) if is_json else str(value)


def _list_in(value: Mapping[str, Any]) -> str:
    """Return the name under which an object has its one list of objects, or else its one list of strings, or ""."""
    long = {name: inner for name, inner in value.items() if isinstance(inner, list) and len(inner) > 1}
    of_objects, of_strings = (
        [name for name, inner in long.items() if all(isinstance(item, kind) for item in inner)] for kind in (dict, str)
    )
    lists = of_objects or of_strings
    return lists[0] if len(lists) == 1 else ""


def _is_deep(value: Any) -> bool:
    """Return whether a JSON value is nested deeper than allowed."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = list(itertools.chain.from_iterable(inner))
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _is_joined(row: Sequence[str], separator: str) -> bool:
    """Return whether each line of a row of several lines has as many separators as a row of its own."""
    lines = separator.join(row).splitlines()
    return len(row) > 1 and all(line.count(separator) == len(row) - 1 for line in lines)


def _separator(first: str) -> str:
    """Return the separator that cuts the first row into the most fields; a comma if none does."""
    with contextlib.suppress(csv.Error):  # reported when the rows are read
        return max(_SEPARATORS, key=lambda separator: len(next(csv.reader([first], delimiter=separator), [])))
    return _SEPARATORS[0]


def fields_to_text(fields: Mapping[str, Any]) -> str:
    """Return fields as a text of lines "name=value"; line ends in a value become spaces."""

    def as_line(value: Any) -> str:
        text = _as_text(value) if isinstance(value, dict | list) else str(value)
        return " ".join(text.splitlines())

    return "\n".join(f"{name}={as_line(value)}" for name, value in fields.items())
