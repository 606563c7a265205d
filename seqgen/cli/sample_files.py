"""Sampled rows as files: text, CSV, JSON lines or JSON, by the ending of the name."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.errors import TooFewRows, UsageError

if TYPE_CHECKING:
    from seqgen import Sample
    from seqgen.api.run import Run

_FIRST, _LARGEST = 1000, 100_000  # rows that are described together: the corpus is read through for each lot


def refuse_to_overwrite(out: Path, *, force: bool) -> None:
    """Refuse a file that is there and holds something; pipes and devices are written to.

    Raises:
        UsageError: it is there, and ``force`` does not say that it may be overwritten.
    """
    if not force and out.is_file() and out.stat().st_size:
        raise UsageError(f"cannot write {str(out)!r}: it exists; pass another --out, or --force to overwrite it")


def described(run: Run, rows: Iterable[Sample], given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield rows with what is known of them, described in lots that grow; what ends them early is raised last."""
    rows, size, problem = iter(rows), _FIRST, None
    while problem is None:
        lot: list[Sample] = []
        try:
            for row in itertools.islice(rows, size):
                lot.append(row)
        except TooFewRows as error:
            problem = error
        yield from run.describe(lot, given=given)
        if len(lot) < size:
            break
        size = min(10 * size, _LARGEST)
    if problem is not None:
        raise problem


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with numbers that JSON and CSV can hold."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield rows as JSON, an object a line."""
    for row in rows:
        yield (json.dumps(_finite(row), ensure_ascii=False, default=str) + "\n").encode("utf-8", "surrogatepass")


def _json_array(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield rows as one JSON array, a row a line."""
    between = b"[\n"
    try:
        for line in json_lines(rows):
            yield between + line.rstrip(b"\n")
            between = b",\n"
    finally:
        yield b"\n]\n" if between != b"[\n" else b"[]\n"


def _csv(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield rows as CSV (RFC 4180), the names of the columns first."""
    buffer = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(buffer, list(row))
            writer.writeheader()
        writer.writerow(_finite(row))
        yield buffer.getvalue().encode("utf-8", "surrogatepass")
        buffer.seek(0)
        buffer.truncate()


TABLES: Mapping[str, Callable[[Iterable[Mapping[str, Any]]], Iterator[bytes]]] = {
    ".csv": _csv,
    ".jsonl": json_lines,
    ".json": _json_array,
}
"""Writers of files with columns, by suffix; any other file holds the texts alone."""


def write_out(out: Path, chunks: Iterator[bytes]) -> None:
    """Write what was found, even when a filter found fewer rows than asked."""
    from seqgen.files import write_atomic

    data, problem = bytearray(), None
    try:
        for chunk in chunks:
            data += chunk
    except TooFewRows as error:
        problem = error
    write_atomic(out, bytes(data))
    if problem is not None:
        raise problem
