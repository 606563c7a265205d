"""Sampled rows as files: text, CSV, TSV, JSON lines or JSON, by the ending of the name."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.cli.common import say
from seqgen.errors import MissingExtra, TooFewRows, UsageError
from seqgen.files import finite, json_text, write_atomic
from seqgen.render import counted, percent
from seqgen.signals import describe_loss

if TYPE_CHECKING:
    from seqgen import Sample
    from seqgen.api.run import Run

_NOT_WRITTEN = dict.fromkeys((".xlsx", ".xls", ".ods"), "give a .csv, which opens there")
_NOT_WRITTEN |= dict.fromkeys((".sdf", ".mol"), "give a .csv or a text file")
_NOT_WRITTEN |= dict.fromkeys((".docx", ".odt", ".rtf"), "give a .txt or a .csv, which open there")
_NOT_WRITTEN |= dict.fromkeys((".zip", ".gz", ".bz2", ".xz", ".zst"), "leave this ending out, and pack the file")
_NOT_WRITTEN |= dict.fromkeys((".html", ".htm"), "seqgen export page writes a page, seqgen evaluate --html another")
_NOT_WRITTEN |= dict.fromkeys((".png", ".svg", ".pdf"), "--picture FILE.svg draws rows")
_NOT_WRITTEN |= dict.fromkeys((".mid", ".midi"), "of tunes, --picture FILE.mid does it")
_FIRST, _LARGEST = 1000, 100_000  # rows that are described together: the corpus is read through for each lot


def check_written(out: Path) -> None:
    """Refuse a form that rows are not written in.

    Raises:
        UsageError: it is one.
    """
    if (suffix := out.suffix.lower()) in _NOT_WRITTEN:
        raise UsageError(f"cannot write {str(out)!r}: rows are not written as {suffix}; {_NOT_WRITTEN[suffix]}")


def check_new(file: Path, flag: str, *, force: bool) -> None:
    """Refuse a file that holds something; pipes and devices are written to.

    Raises:
        UsageError: it is there, and ``force`` does not say that it may be overwritten.
    """
    if not force and file.is_file() and file.stat().st_size:
        raise UsageError(f"cannot write {str(file)!r}: it exists; pass another {flag}, or --force to overwrite it")


def check_not_drawn(out: Path, run: Run) -> None:
    """Refuse a form that the renderer of a run's domain writes, such as tune books of tunes.

    Raises:
        UsageError: it is one.
    """
    if (suffix := out.suffix.lower()) in ("", ".txt", *TABLES):  # for these the renderer need not be loaded
        return
    with contextlib.suppress(MissingExtra):
        if suffix in getattr(run.renderer, "suffixes", ()):
            raise UsageError(
                f"cannot write {str(out)!r}: --picture FILE{suffix} writes rows of this domain in that form"
            )


def described(run: Run, rows: Iterable[Sample], given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield rows with what is known of them, described in lots that grow."""
    rows, size = iter(rows), _FIRST
    while lot := list(itertools.islice(rows, size)):
        yield from run.describe(lot, given=given)
        size = min(10 * size, _LARGEST)


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield rows as JSON, an object a line."""
    for row in rows:
        yield (json_text(finite(row), default=str) + "\n").encode()


def row_texts(form: str, rows: Iterable[Mapping[str, Any]]) -> tuple[str, list[str]]:
    """Return the header of a table, and the text of each row: of the form "csv", "tsv" or "jsonl"."""
    chunks = [chunk.decode("utf-8", "surrogatepass") for chunk in TABLES[f".{form}"](rows)]
    return ("", chunks) if form == "jsonl" else (chunks[0], chunks[1:])


def join_rows(out: Path, rows: Iterator[tuple[str, str]]) -> Iterator[bytes]:
    """Yield the content of a file from the header and the text of each row.

    Raises:
        MissingExtra: the file is Parquet, and pyarrow is not installed.
    """
    suffix = out.suffix.lower()
    if suffix == ".parquet":
        yield from parquet(json.loads(text) for _, text in rows)
    elif suffix == ".json":
        yield from _as_array(text.encode("utf-8", "surrogatepass") for _, text in rows)
    else:
        for number, (header, text) in enumerate(rows):
            yield (text if number else header + text).encode("utf-8", "surrogatepass")


def parquet(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield rows as a Parquet file, a group of rows at a time.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("tables", "--out FILE.parquet") from None
    rows, sink = ({name: _whole(value) for name, value in finite(row).items()} for row in rows), _Pieces()
    kinds: dict[str, Any] = {"row": pa.int64(), "bits_per_char": pa.float64()}
    writer = None
    while lot := list(itertools.islice(rows, _LARGEST)):
        kinds |= {name: pa.bool_() for name, value in lot[0].items() if isinstance(value, bool)}
        schema = pa.schema([(name, kinds.get(name, pa.string())) for name in lot[0]])
        table = pa.Table.from_pylist(lot, schema=schema)
        writer = writer or pq.ParquetWriter(sink, schema)
        writer.write_table(table)
        yield sink.take()
    if writer is None:
        schema = pa.schema([("row", pa.int64()), ("text", pa.string()), ("cut", pa.bool_())])
        writer = pq.ParquetWriter(sink, schema)
    writer.close()
    yield sink.take()


def _whole(value: Any) -> Any:
    """Return a value, a text with U+FFFD for halves of characters, which Parquet cannot hold."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


class _Pieces(io.RawIOBase):
    """A file that is only appended to, and taken away piece by piece."""

    def __init__(self) -> None:
        self._data, self._n_taken = bytearray(), 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._n_taken + len(self._data)

    def write(self, data: Any) -> int:
        """Append bytes."""
        self._data += data
        return len(data)

    def take(self) -> bytes:
        """Return the bytes written since the last call."""
        taken = bytes(self._data)
        self._n_taken += len(taken)
        self._data.clear()
        return taken


def _as_array(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines of JSON as one JSON array, a row a line."""
    between = b"[\n"
    for line in lines:
        yield between + line.rstrip(b"\n")
        between = b",\n"
    yield b"\n]\n" if between != b"[\n" else b"[]\n"


def _csv(rows: Iterable[Mapping[str, Any]], separator: str = ",") -> Iterator[bytes]:
    """Yield rows as CSV (RFC 4180) with some separator, the names of the columns first."""
    buffer = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        lines: list[Mapping[str, Any]] = [finite(row)]
        if writer is None:
            writer = csv.DictWriter(buffer, list(row), delimiter=separator)
            lines.insert(0, dict(zip(row, row, strict=True)))
        for line in lines:
            writer.writerow(line)
            yield buffer.getvalue().encode("utf-8", "surrogatepass")
            buffer.seek(0)
            buffer.truncate()


TABLES: Mapping[str, Callable[[Iterable[Mapping[str, Any]]], Iterator[bytes]]] = {
    ".csv": _csv,
    ".tsv": partial(_csv, separator="\t"),
    ".jsonl": json_lines,
    ".json": lambda rows: _as_array(json_lines(rows)),
    ".parquet": parquet,
}
"""Writers of files with columns, by suffix; any other file holds the texts alone."""


class FoundRows:
    """Rows that are counted as they are iterated over, and that end where a filter finds too few.

    So what was found is written like any rows; ``check`` raises the error afterwards.

    Attributes:
        n: the number so far.
    """

    def __init__(self, rows: Iterable[Sample]) -> None:
        self._rows, self.n = rows, 0
        self._problem: TooFewRows | None = None

    def __iter__(self) -> Iterator[Sample]:
        """Yield the rows."""
        try:
            for row in self._rows:
                self.n += 1
                yield row
        except TooFewRows as error:
            self._problem = error

    def check(self) -> None:
        """Refuse rows of which there were too few.

        Raises:
            TooFewRows: there were.
        """
        if self._problem is not None:
            raise self._problem


def row_end(run: Run, *, nul: bool) -> str:
    """Return what ends a text in a file of texts alone: a line end, or NUL; two line ends where texts may have one."""
    return "\0" if nul else "\n\n" if run.settings.corpus.multiline else "\n"


def say_kept(n_kept: int, n_seen: int) -> None:
    """Say the share of sampled rows that were kept, on stderr, if any was rejected."""
    if n_kept < n_seen:
        say(f"kept {n_kept:,} of {n_seen:,} sampled rows ({percent(n_kept / n_seen)})")


def say_written(out: Path, n_rows: int) -> None:
    """Say how many rows a file has, on stderr."""
    say(f"wrote {counted(n_rows, 'row')} to {out}")


def not_written(out: Path | None) -> contextlib.AbstractContextManager[None]:
    """Return a context in which an interrupt says that a file was not written; None: there is none."""
    return describe_loss(lambda: "" if out is None else f"{str(out)!r} was not written")


def write_out(out: Path, chunks: Iterator[bytes], rows: FoundRows) -> None:
    """Write the rows that were found, and say how many they are.

    Args:
        out: the file.
        chunks: its content.
        rows: the rows from which the content is made.
    """
    with not_written(out):
        write_atomic(out, b"".join(chunks))
    say_written(out, rows.n)
