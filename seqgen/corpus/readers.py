"""Reading records from text files, in bounded memory and with exact positions in complaints."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from seqgen.corpus.corpus import Record
from seqgen.errors import CorpusError, UsageError

MAX_LINE_CHARS = 10_000
_BLOCK_CHARS = 1 << 16
_GZIP_MARK = b"\x1f\x8b"
_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip


@dataclass(frozen=True)
class TextFile:
    """The lines of a UTF-8 file, gzipped or not, as records; iterating reads the file anew.

    A line ends at LF, CR or CR LF and nowhere else (U+2028 and the like are ordinary characters). A byte order mark
    at the start is dropped, blank lines are skipped, every other space is kept.

    Attributes:
        path: the file.
        label: the label of every record, if any.
        split: the part that every record belongs to, if any.
        max_line_chars: a longer line is refused.

    Raises (while iterating):
        UsageError: no such file.
        CorpusError: the file is unreadable, not UTF-8, or has too long a line.
    """

    path: Path
    label: str | None = None
    split: Literal["train", "valid", "test"] | None = None
    max_line_chars: int = MAX_LINE_CHARS

    def __iter__(self) -> Iterator[Record]:
        """The records, from the first line."""
        with self.reading() as file:
            for text in self._lines(file):
                yield Record(text, self.label, split=self.split)

    @contextlib.contextmanager
    def reading(self, newline: Literal[""] | None = None) -> Iterator[TextIOWrapper]:
        """The file, open; within it what the system says becomes one line.

        Args:
            newline: "" keeps line ends as they are; None makes them LF.

        Raises:
            UsageError: no such file.
            CorpusError: the file is unreadable.
        """
        path = str(self.path)
        if self.path.exists() and not (self.path.is_file() or self.path.is_dir()):
            raise UsageError(f"{path!r} is not a regular file; a corpus is read more than once")
        try:
            with self._open(newline) as file:
                self._refuse_foreign(file)
                yield file
        except FileNotFoundError:
            raise UsageError(f"no such file: {path!r}") from None
        except IsADirectoryError:
            raise UsageError(f"{path!r} is a folder; a corpus is a file with a record a line") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise CorpusError(f"{path!r} is a damaged gzip file: {error}") from None
        except OSError as error:
            raise CorpusError(f"cannot read {path!r}: {error.strerror}") from None

    def _open(self, newline: Literal[""] | None) -> TextIOWrapper:
        with self.path.open("rb") as raw:
            packed = raw.read(2) == _GZIP_MARK
        # surrogateescape keeps a bad byte as a character, so that its line and place are known.
        if packed:
            return gzip.open(self.path, "rt", encoding="utf-8", errors="surrogateescape", newline=newline)
        return self.path.open(encoding="utf-8", errors="surrogateescape", newline=newline)

    def stamp(self) -> list[object]:
        """What changes when the file does, as JSON values; "" where there is no file."""
        found = self.path.stat() if self.path.is_file() else None
        told = [found.st_size, found.st_mtime_ns, found.st_ino] if found else [""]
        return [str(self.path.resolve()), *told, self.label, self.split, self.max_line_chars]

    def blocks(self) -> Iterator[str]:
        """The text as it stands, line ends made LF, in pieces that end with a line where lines are not very long.

        Raises:
            UsageError: no such file.
            CorpusError: the file is unreadable or not UTF-8.
        """
        rest, at_start = "", True
        with self.reading() as file:
            while block := file.read(_BLOCK_CHARS):
                if not is_text(block):
                    raise replace(self, max_line_chars=sys.maxsize - 3).problem()
                rest += block.removeprefix("\ufeff") if at_start else block
                at_start = False
                cut = rest.rfind("\n") + 1 or (len(rest) if len(rest) >= _BLOCK_CHARS else 0)
                if cut:
                    yield rest[:cut]
                    rest = rest[cut:]
        if rest:
            yield rest

    def numbered(self) -> Iterator[tuple[int, str]]:
        """The lines that are not blank, with their numbers from 1; errors as when iterating."""
        with self.reading() as file:
            for number, line in enumerate(self._lines(file, blank=True), 1):
                if line and not line.isspace():
                    yield number, line

    def _lines(self, file: TextIOWrapper, *, blank: bool = False) -> Iterator[str]:
        begun, rest, at_start = "", "", True
        while block := file.read(_BLOCK_CHARS):
            *lines, rest = (begun + (block.removeprefix("\ufeff") if at_start else block)).split("\n")
            if max(map(len, (*lines, rest))) > self.max_line_chars or not is_text(block):
                raise self.problem()
            yield from (text for text in lines if blank or (text and not text.isspace()))
            begun, at_start = rest, False
        if rest and not rest.isspace():
            yield rest

    def problem(self) -> CorpusError:
        """What is wrong with the file, which is read once more for it, line by line."""
        limit, number, offset = self.max_line_chars, 0, 0
        with self._open(newline="") as file:
            while line := file.readline(limit + 3):  # with a mark at the start and CR LF at the end
                number += 1
                if len(line.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else "")) > limit:
                    return CorpusError(
                        f"{str(self.path)!r}, line {number}: longer than {limit} characters; is it a file with a "
                        "record a line? train -o corpus.max_line_chars=N takes longer ones"
                    )
                try:
                    offset += len(line.encode())
                except UnicodeEncodeError as error:
                    return CorpusError(self._undecodable(line, number, offset, error.start))
        return CorpusError(f"{str(self.path)!r} changed while it was read")

    def _refuse_foreign(self, file: TextIOWrapper) -> None:
        start = bytes(file.buffer.read(4))
        file.seek(0)
        for mark, encoding in _FOREIGN_MARKS.items():
            if start.startswith(mark):
                raise CorpusError(f"{str(self.path)!r} looks like {encoding}; convert it to UTF-8 first")

    def _undecodable(self, line: str, number: int, offset: int, at: int) -> str:
        in_line = len(line[:at].encode("utf-8", "surrogateescape"))
        return (
            f"{str(self.path)!r}, line {number}: byte {in_line + 1} of the line (byte {offset + in_line} of the file) "
            f"is 0x{ord(line[at]) - 0xDC00:02x}, which is not UTF-8; convert the file to UTF-8 first"
        )


def is_text(block: str) -> bool:
    """Whether every byte could be decoded."""
    try:
        return block.isascii() or bool(block.encode())
    except UnicodeEncodeError:
        return False


def read_lines(path: str | Path, *, max_line_chars: int = MAX_LINE_CHARS) -> TextFile:
    """The lines of a UTF-8 text file as a restartable iterable of records."""
    return TextFile(Path(path), max_line_chars=max_line_chars)
