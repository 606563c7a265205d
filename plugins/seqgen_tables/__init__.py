"""Tables in binary files: readers of Parquet and of workbooks (extra: tables)."""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_readers(register: Callable[[seqgen.ReaderSpec], None]) -> None:
    """Register ``parquet`` and ``excel``."""
    register(
        seqgen.ReaderSpec(
            name="parquet",
            summary="rows of a Parquet file (extra: tables)",
            source="Apache Parquet, with pyarrow (Apache-2.0)",
            load="seqgen_tables.parquet:ParquetReader",
            endings=(".parquet", ".pq"),
            matches="seqgen_tables.parquet:is_parquet",
            text=False,
            table=True,
            example="seqgen_tables.parquet:example",
        )
    )
    register(
        seqgen.ReaderSpec(
            name="excel",
            summary="rows of a sheet of a workbook: .xlsx, .xlsm, .xlsb, .xls, .ods (extra: tables)",
            source="ISO/IEC 29500, with python-calamine (MIT)",
            load="seqgen_tables.excel:ExcelReader",
            endings=(".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
            matches="seqgen_tables.excel:is_workbook",
            text=False,
            table=True,
            example="seqgen_tables.excel:example",
        )
    )
