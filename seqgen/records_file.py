"""Records of a Python program as a file that a run is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seqgen.corpus import Record
from seqgen.errors import UsageError, short_repr
from seqgen.files import json_text, write_atomic


def write_records(path: str | Path, records: Iterable[str | Record | Mapping[str, Any]]) -> Path:
    """Write texts of a Python program to a file of JSON lines, which ``train`` takes as a corpus.

    Args:
        path: the file, whose name ends in ``.jsonl``; an existing one is overwritten.
        records: texts; records, whose labels and fields are written too, and whose splits are not; or mappings with a
            "text". A label is written as the field "label".

    Returns:
        The path.

    Raises:
        UsageError: a name that does not end in .jsonl, an item that is none of these, or a field that is an array.
        DiskError: it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".jsonl":
        raise UsageError(f"cannot write records to {str(path)!r}: give a name that ends in .jsonl")
    write_atomic(path, (_json_line(number, record) for number, record in enumerate(records, 1)))
    return path


def _json_line(number: int, record: str | Record | Mapping[str, Any]) -> bytes:
    """Return a record as a line of JSON; numbers of numpy as numbers, and other values as what they print."""
    if isinstance(record, Record):
        label = {} if record.label is None else {"label": record.label}
        record = {**record.fields, **label, "text": record.text}
    row = {"text": record} if isinstance(record, str) else record
    if not isinstance(row, Mapping) or not isinstance(row.get("text"), str):
        raise UsageError(
            f"record {number} is {short_repr(record)}, not a text, a seqgen.Record or a mapping with a 'text'"
        )
    for name, value in row.items():
        if not isinstance(name, str):
            raise UsageError(f"record {number} has a field named {short_repr(name)}, which is not a text")
        if getattr(value, "shape", ()):
            raise UsageError(f"record {number}: field {name!r} is an array, not one value; pass value.tolist()")
    return (json_text(dict(row), default=_plain) + "\n").encode()


def _plain(value: Any) -> Any:
    """Return a number of numpy or torch as one of Python, an array inside a value as a list, another as its text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
