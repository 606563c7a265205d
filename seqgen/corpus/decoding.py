"""Bytes that no encoding allows: kept as characters that no text has, so that their line and place are known."""

from __future__ import annotations

import codecs
import re
from typing import Literal, TextIO

from seqgen.errors import BadOption, CorpusError, did_you_mean

UTF8 = "utf-8"
KEEP_UNDECODABLE = "seqgen.keeping"
"""The error handler that turns a byte into the lone surrogate U+DC00 plus the byte, whatever the encoding."""
STRIPS_BOM = ("utf-16", "utf-32", "utf-8-sig")
"""Encodings that drop a mark at the start themselves."""
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
    """Its usual name.

    Raises:
        BadOption: there is no such encoding of text.
    """
    try:
        b"    ".decode(name, "replace")  # which codecs of anything else than text refuse
        return codecs.lookup(name).name
    except (LookupError, UnicodeError, ValueError):
        raise BadOption(f"no encoding named {name!r}{did_you_mean(name, _USUAL)}") from None


def refuse_other_encoding(path: str, start: bytes) -> None:
    """Refuse a file that begins as one of another encoding does.

    Raises:
        CorpusError: it does.
    """
    for mark, encoding in _FOREIGN_MARKS.items():
        if start.startswith(mark):
            raise CorpusError(
                f"{path!r} looks like {encoding}: -o corpus.encoding={encoding.lower()} reads it, or convert it to "
                "UTF-8 first"
            )


def is_decodable(block: str) -> bool:
    """Whether every byte could be decoded."""
    try:
        return block.isascii() or bool(block.encode())
    except UnicodeEncodeError:
        return False


def replace_undecodable(line: str, put: str) -> tuple[str, int]:
    """The line with ``put`` for each byte that could not be decoded, and how many these were."""
    return _KEPT.subn(put, line)


def find_first_problem(file: TextIO, path: str, encoding: str, limit: int | None, ways: str) -> CorpusError:
    """What is wrong with a file, told with its place.

    Args:
        file: opened anew with ``newline=""`` and the error handler above.
        path: its name in the message.
        encoding: what it is read as, by its usual name.
        limit: the longest line that is allowed, in characters; None: any.
        ways: what can be done about a longer one, for the message.
    """
    number, before, offset = 0, 0, 0  # of the line; bytes before this piece of it, and before that in the file
    at_once = _AT_ONCE if limit is None else limit + 3  # with a mark at the start and CR LF at the end
    while piece := file.readline(at_once):
        number += not before
        if limit is not None and len(piece.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else "")) > limit:
            return CorpusError(
                f"{path!r}, line {number}: longer than {limit} characters; is it a file with a record a line? {ways}"
            )
        if found := _KEPT_RUN.search(piece):
            here, shown = _n_bytes(piece[: found.start()]), " ".join(f"0x{ord(byte) - _FIRST:02x}" for byte in found[0])
            in_line = "here"
            if encoding == UTF8:
                in_line = f"byte {before + here + 1} of the line (byte {offset + here} of the file)"
            return CorpusError(
                f"{path!r}, line {number}: {in_line} is {shown}, which is not {encoding.upper()}; "
                "-o corpus.encoding=NAME reads another encoding, -o corpus.encoding_errors=replace (or skip) "
                "passes over such bytes"
            )
        n_here = _n_bytes(piece)
        offset, before = offset + n_here, 0 if piece.endswith(("\n", "\r")) else before + n_here
    return CorpusError(f"{path!r} changed while it was read")


def _n_bytes(text: str) -> int:
    """How many bytes of UTF-8 a text was read from."""
    return len(text.encode(UTF8, "surrogatepass")) - 2 * len(_KEPT.findall(text))
