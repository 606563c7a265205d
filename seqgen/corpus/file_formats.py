"""Detection of files that do not hold one record per line, by their first bytes and lines."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from seqgen.errors import CorpusError

START = 4096
"""Number of bytes, or characters, at the start of a file that are inspected."""
LINE = "line"
"""Value of the option ``separator`` that takes every line as a record, without checking the file's format."""


class _Binary(NamedTuple):
    what: str
    way: str
    begin: bytes
    within: bytes = b""


_TABLE = "export it as CSV, with column names in the first row"
_TEXT = "save it as plain text, one record per line"
_UNPACK = "unpack it, and pass a text file with one record per line"
_NOTES = "convert it to ABC or another text form, and pass that"
_PICTURE = "pass a text file with one record per line"
_ARRAYS = "write its texts to a file, one per line"
_BINARIES = (  # the first match counts
    _Binary("an Excel workbook", _TABLE, b"PK\x03\x04", b"xl/"),
    _Binary("a Word document", _TEXT, b"PK\x03\x04", b"word/"),
    _Binary("a PowerPoint presentation", _TEXT, b"PK\x03\x04", b"ppt/"),
    _Binary("an Office document", "export it as CSV or plain text", b"PK\x03\x04", b"[Content_Types].xml"),
    _Binary("an OpenDocument spreadsheet", _TABLE, b"PK\x03\x04", b"opendocument.spreadsheet"),
    _Binary("an OpenDocument text", _TEXT, b"PK\x03\x04", b"opendocument.text"),
    _Binary("an e-book (EPUB)", _TEXT, b"PK\x03\x04", b"application/epub+zip"),
    _Binary("a NumPy archive", _ARRAYS, b"PK\x03\x04", b".npy"),
    _Binary("a zip archive", _UNPACK, b"PK\x03\x04"),
    _Binary("an empty zip archive", _UNPACK, b"PK\x05\x06"),
    _Binary("an Office document (before 2007)", "export it as CSV or plain text", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    _Binary("a Parquet file", f"{_TABLE}: pandas.read_parquet(FILE).to_csv('corpus.csv', index=False)", b"PAR1\x15"),
    _Binary("an Arrow file", _TABLE, b"ARROW1\0\0"),
    _Binary("a Feather file", _TABLE, b"FEA1\0"),
    _Binary("an Avro file", _TABLE, b"Obj\x01"),
    _Binary("an SQLite database", f"{_TABLE}: sqlite3 -header -csv FILE 'SELECT ...'", b"SQLite format 3\0"),
    _Binary("an HDF5 file", _ARRAYS, b"\x89HDF\r\n\x1a\n"),
    _Binary("a NumPy array", _ARRAYS, b"\x93NUMPY"),
    _Binary("a MIDI file", _NOTES, b"MThd\0\0\0\x06"),
    _Binary("a PDF document", _TEXT, b"%PDF-"),
    _Binary("a PNG image", _PICTURE, b"\x89PNG\r\n\x1a\n"),
    _Binary("a JPEG image", _PICTURE, b"\xff\xd8\xff"),
    _Binary("a GIF image", _PICTURE, b"GIF8"),
    _Binary("a RIFF file (audio or video)", _PICTURE, b"RIFF", b"WAVE"),
    _Binary("a doubly gzipped file", "unpack it once with gzip -d", b"\x1f\x8b"),
    _Binary("a bzip2 file", "unpack it with bzip2 -d, or pack it with gzip", b"BZh", b"1AY&SY"),
    _Binary("an xz file", "unpack it with xz -d, or pack it with gzip", b"\xfd7zXZ\0"),
    _Binary("a Zstandard file", "unpack it with zstd -d, or pack it with gzip", b"\x28\xb5\x2f\xfd"),
    _Binary("a 7z archive", _UNPACK, b"7z\xbc\xaf\x27\x1c"),
    _Binary("a RAR archive", _UNPACK, b"Rar!\x1a\x07"),
    _Binary("a tar archive", _UNPACK, b"", b"\0ustar"),
    _Binary("an executable program", _PICTURE, b"\x7fELF"),
)


class _Written(NamedTuple):
    what: str
    pattern: re.Pattern[str]
    separator: str | None = None
    way: str = ""


_JQ = "jq -c '.[]' FILE > corpus.jsonl writes one record per line"
_MARKUP = _ARRAYS
_WRITTEN = (
    _Written("FASTA", re.compile(r"(?:;.*\n)*>.*\n(?:[A-Za-z*.-]+[ \t]*\n)+(?:[>\n]|[A-Za-z*.-]*\Z)"), ">"),
    _Written(
        "FASTQ", re.compile(r"@.*\n[A-Za-z*.-]+\n\+"), None, "awk 'NR%4==2' FILE > corpus.txt writes its sequences"
    ),
    _Written("an SDF file", re.compile(r".*\n.*\n.*\n.*V[23]000\s*\n"), "$$$$"),
    _Written("a MOL2 file", re.compile(r"(?:#.*\n|[^\S\n]*\n)*@<TRIPOS>MOLECULE\s*\n"), "@<TRIPOS>MOLECULE"),
    _Written(
        "PGN (chess games)",
        re.compile(r'(?:%.*\n|[^\S\n]*\n)*\[[A-Z]\w* "[^"\n]*"\][^\S\n]*\n\s*(?:\[|\d)'),
        "[Event ",
    ),
    _Written("ABC (tunes)", re.compile(r"(?:%.*\n|[^\S\n]*\n)*X:\s*\d+.*\n(?:(?:[A-JL-Za-z]:|%).*\n)*K:"), "X:"),
    _Written("GenBank", re.compile(r"LOCUS +\S+ +\d+ (?:bp|aa)"), "//"),
    _Written("one JSON array", re.compile(r'\s*\[\s*(?:\{\s*["}]|"(?:[^"\\\n]|\\.)*"\s*[,\]]|\[)'), None, _JQ),
    _Written("HTML", re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE), None, _MARKUP),
    _Written("XML", re.compile(r"\s*<\?xml\b"), None, _MARKUP),
    _Written("RTF", re.compile(r"\{\\rtf"), None, _TEXT),
)
_OBJECTS = re.compile(r'\{\s*"(?:[^"\\\n]|\\.)*"\s*:.*\}\s*(?:\n|\Z)')


def refuse_binary(path: str, start: bytes) -> None:
    """Refuse a file in a known binary format.

    Args:
        path: the file name to show.
        start: the first bytes of its unpacked content.

    Raises:
        CorpusError: it is in such a format.
    """
    for kind in _BINARIES:
        if start.startswith(kind.begin) and kind.within in start:
            raise CorpusError(f"cannot read records from {path!r}: it is {kind.what}; {kind.way}")


def refuse_text_format(path: str, start: str, *, of_objects: bool = False) -> None:
    """Refuse a text file whose lines are not records, though each could be trained on as one.

    Args:
        path: the file name to show.
        start: its first characters.
        of_objects: whether it is read as JSON Lines.

    Raises:
        CorpusError: it is in a known format.
    """
    for kind in _WRITTEN:
        if (not of_objects or kind.way == _JQ) and kind.pattern.match(start):
            raise CorpusError(f"cannot read the lines of {path!r} as records: it is {kind.what}; {_way(path, kind)}")
    if not of_objects and _OBJECTS.match(start):
        raise CorpusError(
            f"cannot read the lines of {path!r} as records: they are JSON objects; -o corpus.form=jsonl with "
            f"--text-field NAME reads one of their fields; {_ANYWAY}"
        )


_ANYWAY = f"-o corpus.separator={LINE} reads its lines as they are"


def _way(path: str, kind: _Written) -> str:
    """Return the hint for a text file in a known format."""
    if kind.separator is None:
        return kind.way.replace("FILE", shlex.quote(path)) + ("" if kind.way == _JQ else f"; {_ANYWAY}")
    return f"-o corpus.separator={shlex.quote(kind.separator)} reads its records, each with all its lines; {_ANYWAY}"
