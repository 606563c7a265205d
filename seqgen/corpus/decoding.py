"""Undecodable bytes, kept as lone surrogates so that their position in the file is known."""

from __future__ import annotations

import codecs
import re
from typing import Literal, TextIO

from seqgen.errors import BadOption, CorpusError, did_you_mean

UTF8 = "utf-8"
KEEP_UNDECODABLE = "seqgen.keeping"
"""Name of the error handler that decodes an invalid byte as the lone surrogate U+DC00 + byte, in any encoding."""
STRIPS_BOM = ("utf-16", "utf-32", "utf-8-sig")
"""Encodings whose codec drops a byte order mark itself."""
Errors = Literal["strict", "replace", "skip"]
_FIRST = 0xDC00
_AT_ONCE = 1 << 16  # characters
_KEPT = re.compile("[\udc00-\udcff]")
_KEPT_RUN = re.compile("[\udc00-\udcff]{1,4}")
_USUAL = ("utf-8", "utf-16", "utf-32", "latin-1", "cp1252", "shift_jis", "gb18030", "big5", "euc-kr", "koi8-r")
_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16",
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
        raise BadOption(f"no encoding named {name!r}{did_you_mean(name, _USUAL)}") from None


def refuse_other_encoding(path: str, start: bytes) -> None:
    """Refuse a file that starts with the byte order mark of another encoding.

    Raises:
        CorpusError: it starts with such a mark.
    """
    for mark, encoding in _FOREIGN_MARKS.items():
        if start.startswith(mark):
            raise CorpusError(
                f"{path!r} looks like {encoding}: -o corpus.encoding={encoding.lower()} reads it, or convert it to "
                "UTF-8 first"
            )


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
            here, shown = _n_bytes(piece[: found.start()]), " ".join(f"0x{ord(byte) - _FIRST:02x}" for byte in found[0])
            in_line = "here"
            if encoding == UTF8:
                in_line = f"byte {before + here + 1} of the line (byte {offset + here} of the file)"
            return CorpusError(
                f"{path!r}, line {number}: {in_line} is {shown}, which is not {encoding.upper()}; "
                "-o corpus.encoding=NAME reads another encoding, -o corpus.encoding_errors=replace (or skip) "
                "ignores such bytes"
            )
        n_here = _n_bytes(piece)
        offset, before = offset + n_here, 0 if piece.endswith(("\n", "\r")) else before + n_here
    return CorpusError(f"{path!r} changed while it was read")


def _n_bytes(text: str) -> int:
    """Return the number of UTF-8 bytes that a text was decoded from."""
    return len(text.encode(UTF8, "surrogatepass")) - 2 * len(_KEPT.findall(text))
