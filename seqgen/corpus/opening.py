"""Opening of text files: encodings, and the refusal of files that do not hold one record per line.

Undecodable bytes are kept as lone surrogates, so that their position in the file is known.
"""

from __future__ import annotations

import codecs
import contextlib
import re
import shlex
from collections.abc import Iterator
from io import BufferedReader, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TextIO

from seqgen.corpus.places import Place, ZipMember, errors_of, open_unpacked
from seqgen.errors import BadOption, CorpusError, UsageError, did_you_mean


@contextlib.contextmanager
def open_bytes(place: Place, *, binary: bool = False) -> Iterator[BinaryIO]:
    """Open a file, unpacked; inside the context an error of the operating system is raised as one line.

    Args:
        place: the file.
        binary: whether it may be in a known binary format.

    Raises:
        NoSuchFile: the file does not exist.
        UsageError: it is not a regular file.
        CorpusError: it cannot be read, is damaged, or is not text.
    """
    shown = str(place)
    if isinstance(place, Path) and place.exists() and not (place.is_file() or place.is_dir()):
        raise UsageError(f"cannot read records from {shown!r}: it is not a regular file")
    with errors_of(place):
        file, kind = open_unpacked(place)
    with errors_of(place, kind), file:
        if not binary:
            refuse_binary(shown, file.read(START), is_member=isinstance(place, ZipMember))
            file.seek(0)
        yield file


@contextlib.contextmanager
def open_text(
    place: Place, encoding: str, newline: Literal[""] | None = None, within: tuple[int, int] | None = None
) -> Iterator[TextIOWrapper]:
    """Open a text file with undecodable bytes kept as surrogates; see ``open_bytes`` for what it raises.

    Args:
        place: the file.
        encoding: a checked encoding name; a byte order mark of UTF-16 or UTF-32 wins over UTF-8.
        newline: "" keeps line ends as they are; None makes them LF.
        within: the first byte that is read, and the byte after the last one; None: all.
    """
    with open_bytes(place) as file:
        start = file.read(4)
        file.seek(0)
        found = marked_encoding(start) if encoding == UTF8 else encoding
        opened = file if within is None else BufferedReader(_Range(file, *within), _AT_ONCE)
        try:
            with TextIOWrapper(opened, encoding=found, errors=KEEP_UNDECODABLE, newline=newline) as text:
                yield text
        except UnicodeError as error:
            raise undecodable(place, found, error) from None


def undecodable(place: Place, encoding: str, error: UnicodeError) -> CorpusError:
    """Return the error of a file in an encoding that cannot continue after an invalid byte, or lacks its mark."""
    return CorpusError(f"{str(place)!r} is not {encoding}: {error}")


class _Range(RawIOBase):
    """Some bytes of a file, read once from the first to the last."""

    def __init__(self, file: BinaryIO, first: int, end: int) -> None:
        self._file, self._left = file, end - first
        file.seek(first)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


UTF8 = "utf-8"
# -- encodings

KEEP_UNDECODABLE = "seqgen.keeping"
"""Name of the error handler that decodes an invalid byte as the lone surrogate U+DC00 + byte, in any encoding."""
STRIPS_BOM = ("utf-16", "utf-32", "utf-8-sig")
"""Encodings whose codec drops a byte order mark itself."""
Errors = Literal["strict", "replace", "skip"]
_FIRST = 0xDC00
_AT_ONCE = 1 << 16  # characters
_KEPT = re.compile("[\udc00-\udcff]")
_KEPT_RUN = re.compile("[\udc00-\udcff]{1,4}")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_LEAST_BINARY, _BINARY_SHARE = 32, 0.05  # characters, and the share of control characters, of what is no text
_WESTERN = "cp1252"  # the usual encoding of Western text that is not UTF-8
_USUAL = ("utf-8", "utf-16", "utf-32", "latin-1", "cp1252", "shift_jis", "gb18030", "big5", "euc-kr", "koi8-r")
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip


_MANY_ZEROS, _FEW_ZEROS, _LEAST_BYTES = 0.4, 0.1, 8
_ZEROS: dict[tuple[bool, ...], str] = {  # whether the bytes at the places 0 to 3 of each four are mostly zeros
    (False, True, False, True): "utf-16-le", (True, False, True, False): "utf-16-be",
    (False, True, True, True): "utf-32-le", (True, True, True, False): "utf-32-be",
}  # fmt: skip


def _keep(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_FIRST + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(KEEP_UNDECODABLE, _keep)


def check_encoding(name: str) -> str:
    """Return the canonical name of an encoding.

    Raises:
        BadOption: there is no such text encoding.
    """
    try:
        b"    ".decode(name, "replace")  # raises for codecs that are not text encodings
        return codecs.lookup(name).name
    except (LookupError, UnicodeError, ValueError):
        is_windows = name.casefold().startswith(("win", "ansi"))
        near = f"; did you mean {_WESTERN!r}?" if is_windows else did_you_mean(name, _USUAL)
        raise BadOption(f"no encoding named {name!r}{near}") from None


def marked_encoding(start: bytes) -> str:
    """Return the encoding whose byte order mark a file starts with; UTF-8 if there is none."""
    return next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), UTF8)


def unmarked_encoding(start: bytes) -> str:
    """Return "utf-16-le", "utf-16-be", "utf-32-le" or "utf-32-be" for text that must be in it; "" for any other.

    In these every character of a Western alphabet has zero bytes at the same places, which text in UTF-8 has not.

    Args:
        start: the first bytes of a file without a byte order mark.
    """
    shares = [start[at::4].count(0) / max(1, len(start[at::4])) for at in range(4)]
    found = tuple(share > _MANY_ZEROS for share in shares)
    mixed = any(_FEW_ZEROS < share <= _MANY_ZEROS for share in shares)
    return "" if mixed or len(start) < _LEAST_BYTES else _ZEROS.get(found, "")


def decoded_start(start: bytes) -> bytes:
    """Return the first bytes of a file as UTF-8 without a byte order mark, where the mark says the encoding."""
    encoding = marked_encoding(start)
    return start.removeprefix(codecs.BOM_UTF8) if encoding == UTF8 else start.decode(encoding, "ignore").encode()


def is_decodable(block: str) -> bool:
    """Return whether every byte of a block could be decoded."""
    try:
        return block.isascii() or bool(block.encode())
    except UnicodeEncodeError:
        return False


def replace_undecodable(line: str, put: str) -> tuple[str, int]:
    """Return the line with ``put`` in place of each undecodable byte, and the number of such bytes."""
    return _KEPT.subn(put, line)


def find_first_problem(file: TextIO, path: str, encoding: str, limit: int | None, ways: str) -> CorpusError:
    """Return the first problem of a file as an error with its line and byte offset.

    Args:
        file: freshly opened with ``newline=""`` and the error handler ``KEEP_UNDECODABLE``.
        path: the file name to show.
        encoding: the canonical name of the encoding.
        limit: the longest line allowed, in characters; None for no limit.
        ways: the hint to show for a longer line.
    """
    number, before, offset = 0, 0, 0  # line number; bytes of the line and of the file before this piece
    at_once = _AT_ONCE if limit is None else limit + 3  # plus a byte order mark and CR LF
    while piece := file.readline(at_once):
        number += not before
        if limit is not None and len(piece.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else "")) > limit:
            return CorpusError(
                f"{path!r}, line {number}: longer than {limit} characters; does it hold one record per line? {ways}"
            )
        if found := _KEPT_RUN.search(piece):
            if _is_binary(piece + file.read(START)):
                return CorpusError(f"cannot read records from {path!r}: it is binary data, not text; {_PICTURE}")
            here, shown = _n_bytes(piece[: found.start()]), " ".join(f"0x{ord(byte) - _FIRST:02x}" for byte in found[0])
            in_line, western = "here", ""
            if encoding == UTF8:
                western = f" ({_WESTERN} is the most likely for a Western language)"
                in_line = f"byte {before + here + 1} of the line (byte {offset + here + 1} of the file)"
            return CorpusError(
                f"{path!r}, line {number}: {in_line} is {shown}, which is not {encoding.upper()}; "
                f"-o corpus.encoding=NAME reads another encoding{western}, -o corpus.encoding_errors=replace (or skip) "
                "ignores such bytes"
            )
        n_here = _n_bytes(piece)
        offset, before = offset + n_here, 0 if piece.endswith(("\n", "\r")) else before + n_here
    return CorpusError(f"{path!r} changed while it was read")


def _is_binary(text: str) -> bool:
    """Return whether undecodable text has more control characters than text in another encoding has."""
    n_controls = len(text) - len(_CONTROLS.sub("", text))
    return len(text) >= _LEAST_BINARY and n_controls > _BINARY_SHARE * len(text)


def _n_bytes(text: str) -> int:
    """Return the number of UTF-8 bytes that a text was decoded from."""
    return len(text.encode(UTF8, "surrogatepass")) - 2 * len(_KEPT.findall(text))


# -- files that do not hold one record per line

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
_RENAME = "give it a name that ends in .zip, and its files are read"
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
    _Binary("a zip archive", _RENAME, b"PK\x03\x04"),
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
    _Binary("a doubly packed Zstandard file", "unpack it once with zstd -d", b"\x28\xb5\x2f\xfd"),
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


_ITEMS = "-o corpus.form=jsonl reads its items"
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
    _Written("one JSON array", re.compile(r'\s*\[\s*(?:\{\s*["}]|"(?:[^"\\\n]|\\.)*"\s*[,\]]|\[)'), None, _ITEMS),
    _Written("HTML", re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE), None, _MARKUP),
    _Written("XML", re.compile(r"\s*<\?xml\b"), None, _MARKUP),
    _Written("RTF", re.compile(r"\{\\rtf"), None, _TEXT),
)
_OBJECTS = re.compile(r'\{\s*"(?:[^"\\\n]|\\.)*"\s*:.*\}\s*(?:\n|\Z)')


def refuse_binary(path: str, start: bytes, *, is_member: bool = False) -> None:
    """Refuse a file in a known binary format.

    Args:
        path: the file name to show.
        start: the first bytes of its unpacked content.
        is_member: whether it stands in a zip archive, where no name makes it an archive that is read.

    Raises:
        CorpusError: it is in such a format.
    """
    for kind in _BINARIES:
        if start.startswith(kind.begin) and kind.within in start:
            way = _UNPACK if is_member and kind.way == _RENAME else kind.way
            raise CorpusError(f"cannot read records from {path!r}: it is {kind.what}; {way}")


def refuse_unmarked(place: Place) -> None:
    """Refuse a file in UTF-16 or UTF-32 without a byte order mark, whose zero bytes would become symbols.

    Raises:
        CorpusError: it is such a file, or cannot be read.
        UsageError: there is no such file.
    """
    with open_bytes(place) as file:
        start = file.read(START)
    if marked_encoding(start) == UTF8 and (found := unmarked_encoding(start)):
        raise CorpusError(
            f"cannot read {str(place)!r} as UTF-8: it is {found.upper()} without a byte order mark; "
            f"-o corpus.encoding={found} reads it"
        )


def refuse_text_format(path: str, start: str) -> None:
    """Refuse a text file whose lines are not records, though each could be trained on as one.

    Args:
        path: the file name to show.
        start: its first characters.

    Raises:
        CorpusError: it is in a known format.
    """
    for kind in _WRITTEN:
        if kind.pattern.match(start):
            raise CorpusError(f"cannot read the lines of {path!r} as records: it is {kind.what}; {_way(path, kind)}")
    if _OBJECTS.match(start):
        raise CorpusError(
            f"cannot read the lines of {path!r} as records: they are JSON objects; -o corpus.form=jsonl with "
            f"--text-field NAME reads one of their fields; {_ANYWAY}"
        )


_ANYWAY = f"-o corpus.separator={LINE} reads its lines as they are"


def _way(path: str, kind: _Written) -> str:
    """Return the hint for a text file in a known format."""
    if kind.separator is None:
        return f"{kind.way.replace('FILE', shlex.quote(path))}; {_ANYWAY}"
    return f"-o corpus.separator={shlex.quote(kind.separator)} reads its records, each with all its lines; {_ANYWAY}"
