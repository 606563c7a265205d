"""A reader of workbooks."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, BinaryIO

from pydantic import Field

import seqgen
from seqgen_tables.plain_text import refuse_text


def is_workbook(name: str, start: bytes) -> bool:
    """Return whether a file starts as a workbook: a zip archive of the parts of one."""
    marks = (b"xl/", b"opendocument.spreadsheet")
    return start.startswith(b"PK\x03\x04") and any(mark in start for mark in marks)


class ExcelReader:
    """The rows of one sheet; its first row that is not empty has the names of the columns.

    A column without a name is left out. A sheet is held in memory while it is read; it has at most 1,048,576 rows.

    Args:
        sheet: the name of the sheet, or its number from 1; "" for the first.
    """

    def __init__(
        self, *, sheet: Annotated[str, Field(description="sheet: a name, or a number from 1; default: the first")] = ""
    ) -> None:
        self._sheet = sheet

    @cached_property
    def _calamine(self) -> Any:
        try:
            import python_calamine
        except ImportError:
            raise seqgen.MissingExtra("tables", "a workbook") from None
        return python_calamine

    def read(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        """Yield the rows.

        Raises:
            CorpusError: the file is damaged or plain text, or has no such sheet.
            MissingExtra: python-calamine is not installed.
        """
        refuse_text(file, "a workbook")
        names: list[str] = []
        for row in self._rows(file):
            if not names:
                names = ["" if cell == "" else str(_plain(cell)).strip() for cell in row]
                for name, n in Counter(names).items():
                    if n > 1 and name:
                        raise seqgen.CorpusError(f"{n} columns are named {name!r}")
                names = names if any(names) else []
            elif any(cell != "" for cell in row):
                cells = [_plain(cell) for cell in row] + [None] * (len(names) - len(row))
                yield {name: cell for name, cell in zip(names, cells, strict=False) if name}

    def _rows(self, file: BinaryIO) -> Iterator[list[Any]]:
        try:
            book = self._calamine.CalamineWorkbook.from_filelike(file)
            yield from book.get_sheet_by_name(self._found(book.sheet_names)).to_python()
        except (self._calamine.CalamineError, OSError, ValueError, zipfile.BadZipFile) as error:
            raise seqgen.CorpusError(f"it is damaged: {' '.join(str(error).split())[:200]}") from None

    def _found(self, names: list[str]) -> str:
        """Return the name of the sheet, one of those of the workbook."""
        numbers = {str(n): name for n, name in enumerate(names, 1)}
        wanted = self._sheet or "1"
        found = self._sheet if self._sheet in names else numbers.get(wanted.lstrip("0"))
        if found is None:
            raise seqgen.CorpusError(f"it has no sheet {wanted!r}; it has {', '.join(names) or 'none'}")
        return found


def _plain(cell: Any) -> Any:
    """Return a cell's value: a whole number that a float holds exactly as one, an empty cell as None."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    return None if cell == "" else cell


_SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    '<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c><c r="B1" t="inlineStr"><is><t>born</t></is></c></row>'
    '<row r="2"><c r="A2" t="inlineStr"><is><t>Ada</t></is></c><c r="B2"><v>1815</v></c></row>'
    "</sheetData></worksheet>"
)
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" Target="xl/workbook.xml" '
    f'Type="{_RELATIONS}/officeDocument"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" '
    f'Target="worksheets/sheet1.xml" Type="{_RELATIONS}/worksheet"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    f'xmlns:r="{_RELATIONS}"><sheets><sheet name="people" sheetId="1" r:id="r"/></sheets></workbook>',
    "xl/worksheets/sheet1.xml": _SHEET,
}


def example() -> bytes:
    """Return a small workbook."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in _PARTS.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return file.getvalue()
