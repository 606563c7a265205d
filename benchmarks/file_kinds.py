"""Corpora of many files, an archive, Parquet and a workbook: time and memory until a run has read them.

    python benchmarks/file_kinds.py [--scale 1.0] [--folder DIR]

``seqgen train --steps 1 --blend none`` is run on records of some twenty characters: as 1,000 files in a folder, as a
zip archive of them, as 5 million rows of Parquet, as a workbook of 200,000 rows and as 5 million lines of text, each
with an empty cache. Memory is that of all processes at once without what they map of files (``RssAnon``). The table
is stored in benchmarks/results/file_kinds.md; with another scale it is printed only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from large import tree_peaks
from report import table, write_page

_FILES, _ROWS, _SHEET = 1000, 5_000_000, 200_000
_BLOCK = 100_000  # rows of Parquet that are written at once
_PART = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def texts(n: int) -> Iterator[str]:
    """Yield distinct records."""
    return (f"record {number * 7919 % n:07d} of many" for number in range(n))


def write_folder(path: Path, scale: float) -> None:
    """Write 1,000 files of as many lines."""
    path.mkdir()
    lines, per_file = texts(_FILES * int(1000 * scale)), int(1000 * scale)
    for number in range(_FILES):
        content = "".join(f"{next(lines)}\n" for _ in range(per_file))
        (path / f"{number:04d}.txt").write_text(content, encoding="utf-8")


def write_zip(path: Path, scale: float) -> None:
    """Write the same files into an archive."""
    folder = path.with_suffix("")
    write_folder(folder, scale)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    shutil.rmtree(folder)


def write_parquet(path: Path, scale: float) -> None:
    """Write rows with a number and a text."""
    import pyarrow
    from pyarrow import parquet

    rows = enumerate(texts(int(_ROWS * scale)))
    schema = pyarrow.schema({"number": pyarrow.int64(), "text": pyarrow.string()})
    with parquet.ParquetWriter(path, schema) as writer:
        while some := list(itertools.islice(rows, _BLOCK)):
            numbers, words = zip(*some, strict=True)
            writer.write_table(pyarrow.table({"number": numbers, "text": words}, schema=schema))


def write_workbook(path: Path, scale: float) -> None:
    """Write a workbook of one sheet with a head and a column, in Office Open XML."""
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    cell = '<row><c t="inlineStr"><is><t>{}</t></is></c></row>'
    rows = "".join(map(cell.format, ["text", *texts(int(_SHEET * scale))]))
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": (
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{_PART}">'
            f'<Relationship Id="a" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{_SHEETS}" xmlns:r="{_OFFICE}"><sheets><sheet name="all" sheetId="1" r:id="a"/></sheets>'
            "</workbook>"
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{_PART}">'
            f'<Relationship Id="a" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
        ),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEETS}"><sheetData>{rows}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, head + content)


def write_lines(path: Path, scale: float) -> None:
    """Write a file of lines."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{text}\n" for text in texts(int(_ROWS * scale)))


class Case(NamedTuple):
    """A corpus.

    Attributes:
        title: its name in the table.
        name: of the file or folder.
        write: writes it.
        options: of the command.
    """

    title: str
    name: str
    write: Callable[[Path, float], None]
    options: tuple[str, ...] = ()


_CASES = (
    Case("a folder of 1,000 files", "folder", write_folder),
    Case("a zip archive of them", "files.zip", write_zip),
    Case("Parquet", "rows.parquet", write_parquet, ("--text-field", "text")),
    Case("a workbook", "sheet.xlsx", write_workbook, ("--text-field", "text")),
    Case("a file of lines", "lines.txt", write_lines),
)


def row(case: Case, scale: float, folder: Path) -> list[str]:
    """Return the row of a corpus."""
    path, out = folder / case.name, folder / "run"
    case.write(path, scale)
    size = sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else [path]))
    command = ["train", "--steps", "1", "--blend", "none", "-o", "samples=0", "-q", "--out", str(out), *case.options]
    seconds, _, sums = tree_peaks([sys.executable, "-m", "seqgen", *command, "--corpus", str(path)], folder)
    n_records = json.loads((out / "run.json").read_text())["corpus"]["n_records"]
    for used in (path, out, folder / "cache"):
        shutil.rmtree(used) if used.is_dir() else used.unlink(missing_ok=True)
    return [case.title, f"{size / 1e6:,.0f}", f"{n_records:,}", f"{seconds:.0f}", f"{sums['RssAnon']:,.0f}"]


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of records")
    parser.add_argument("--folder", type=Path, help="where the corpora are written")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        rows = [row(case, arguments.scale, Path(name)) for case in _CASES]
    text = table(["corpus", "MB", "records", "s", "peak memory, MB"], rows)
    if arguments.scale == 1:
        caption = (
            "Written by `python benchmarks/file_kinds.py`, which says how. torch and seqgen alone take some 170 MB."
        )
        write_page("file_kinds", "Corpora of several files, and of other kinds", caption, 1, text)
    print(text)


if __name__ == "__main__":
    main()
