"""A reader of Parquet."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, BinaryIO

from pydantic import Field

import seqgen
from seqgen_tables.plain_text import refuse_text

_ROWS = 1024  # at once
_BUFFER_BYTES = 1 << 16  # of each column that is read


def is_parquet(name: str, start: bytes) -> bool:
    """Return whether a file starts with the mark of Parquet."""
    return start.startswith(b"PAR1\x15")


class ParquetReader:
    """The rows of a Parquet file, a few at a time; bytes that are text in UTF-8, in lists too, are read as text.

    Times are read in whole microseconds, since those of Python have no smaller unit; what is left over is cut off.
    Dates and times that Python has not, such as those after the year 9999, are read as text.

    Args:
        columns: the columns that are read; all by default.
    """

    def __init__(
        self,
        *,
        columns: Annotated[tuple[str, ...], Field(description="columns that are read; default: all")] = (),
    ) -> None:
        self._columns = columns

    @cached_property
    def _arrow(self) -> Any:
        try:
            import pyarrow.parquet
        except ImportError:
            raise seqgen.MissingExtra("tables", "a Parquet file") from None
        return pyarrow

    def read(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        """Yield the rows.

        Raises:
            CorpusError: the file is damaged or plain text, or has no such column.
            MissingExtra: pyarrow is not installed.
        """
        refuse_text(file, "a Parquet file")
        arrow = self._arrow
        try:
            opened = arrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER_BYTES)
            names = opened.schema_arrow.names
            for name in self._columns:
                if name not in names:
                    raise seqgen.CorpusError(f"it has no column {name!r}; it has {', '.join(names)}")
            if len(set(names)) < len(names):
                raise seqgen.CorpusError(f"several columns have the same name: {', '.join(names)}")
            columns = list(self._columns) or None
            for batch in opened.iter_batches(_ROWS, columns=columns, use_threads=False):
                yield from self._rows(batch)
        except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
            raise seqgen.CorpusError(f"it is damaged: {' '.join(str(error).split())[:200]}") from None

    def _rows(self, batch: Any) -> list[dict[str, Any]]:
        """Return the rows of a record batch."""
        columns = (column.cast(self._in_microseconds(column.type), safe=False) for column in batch.columns)
        values = [map(_decoded, _values(column)) for column in columns]
        return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*values, strict=True)]

    def _in_microseconds(self, kind: Any) -> Any:
        """Return a type with microseconds for nanoseconds, in lists and structures too."""
        arrow, types = self._arrow, self._arrow.types
        if types.is_timestamp(kind) and kind.unit == "ns":
            return arrow.timestamp("us", kind.tz)
        if types.is_duration(kind) and kind.unit == "ns":
            return arrow.duration("us")
        if types.is_time64(kind):
            return arrow.time64("us")
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            inner = kind.value_field.with_type(self._in_microseconds(kind.value_type))
            size = kind.list_size if types.is_fixed_size_list(kind) else -1
            return arrow.large_list(inner) if types.is_large_list(kind) else arrow.list_(inner, size)
        if types.is_map(kind):
            return arrow.map_(kind.key_type, self._in_microseconds(kind.item_type))
        if types.is_struct(kind):
            return arrow.struct([field.with_type(self._in_microseconds(field.type)) for field in kind])
        return kind


def _values(column: Any) -> list[Any]:
    """Return the values of a column; a date or time beyond those of Python becomes text, and no other value."""
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except (OverflowError, ValueError):
        return [_value(one) for one in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        if hasattr(scalar, "keys"):
            return {name: _value(scalar[name]) for name in scalar}
        return [_value(one) for one in scalar.values] if hasattr(scalar, "values") else str(scalar.cast("string"))


def _decoded(value: Any) -> Any:
    """Return a value with its bytes as text, which is how some writers store it, unless they are none in UTF-8."""
    if isinstance(value, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            return value.decode()
    elif isinstance(value, dict):
        return {name: _decoded(one) for name, one in value.items()}
    elif isinstance(value, list | tuple):  # a map is a list of pairs
        return type(value)(map(_decoded, value))
    return value


def example() -> bytes:
    """Return a small file."""
    reader = ParquetReader()
    table, file = reader._arrow.table({"name": ["Ada", "Grace"], "born": [1815, 1906]}), io.BytesIO()
    reader._arrow.parquet.write_table(table, file)
    return file.getvalue()
