"""Text files read as records, in bounded memory and with exact positions in error messages."""

from __future__ import annotations

import contextlib
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from seqgen.corpus.corpus import Record, records_of
from seqgen.corpus.opening import (
    START,
    STRIPS_BOM,
    UTF8,
    Errors,
    check_encoding,
    find_first_problem,
    is_decodable,
    open_text,
    replace_undecodable,
)
from seqgen.corpus.places import Place, file_of, stamp_of
from seqgen.errors import CorpusError

MAX_LINE_CHARS = 10_000
BLANK, LONG, UNDECODABLE = "blank lines skipped", "long lines skipped", "undecodable lines skipped"
REPLACED, SKIPPED = "undecodable bytes replaced", "undecodable bytes skipped"
LONG_RECORDS, SKIPS_LONG = "long records skipped", "-o corpus.long_lines=skip skips them"
_BLOCK_CHARS = 1 << 16
_MAX_EMPTY = 1_000_000  # consecutive empty lines in a table, where they may belong to a quoted value
Normal = Literal["none", "NFC", "NFD", "NFKC", "NFKD"]
_Lines = list[str | None]
"""Lines without their ends; None for one that is skipped."""


@dataclass(frozen=True)
class TextFile:
    """The lines of a text file, gzipped or not, as records; each iteration reads the file again.

    A line ends at LF, CR or CR LF and nowhere else (U+2028 and the like are ordinary characters). A byte order mark
    at the start is dropped and blank lines are skipped; all other white space is kept.

    Attributes:
        path: the file, gzipped or not, or one inside a zip archive.
        label: the label of every record, if any.
        split: the part that every record belongs to, if any.
        max_line_chars: the longest line allowed, in characters.
        encoding: the encoding of the file, as Python names it.
        encoding_errors: on invalid bytes, "strict" refuses the file, "replace" puts U+FFFD, "skip" drops the line.
        long_lines: whether a line that is too long is refused or skipped.
        strip: whether white space around a line is dropped.
        normalize: the Unicode normalization form of the lines.
        counts: what the last complete pass skipped or changed.

    Raises (while iterating):
        BadOption: there is no such encoding.
        NoSuchFile: the file does not exist.
        UsageError: it is not a regular file.
        CorpusError: it cannot be read or decoded, or a line is too long.
    """

    path: Place
    label: str | None = None
    split: Literal["train", "valid", "test"] | None = None
    max_line_chars: int = MAX_LINE_CHARS
    encoding: str = UTF8
    encoding_errors: Errors = "strict"
    long_lines: Literal["refuse", "skip"] = "refuse"
    strip: bool = False
    normalize: Normal = "none"
    counts: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    _within: tuple[int, int] | None = field(default=None, compare=False, repr=False)  # first byte, and end; None: all

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records from the first line."""
        return itertools.chain.from_iterable(self._pieces())

    def _pieces(self) -> Iterator[Iterator[Record]]:
        counts, plain = Counter[str](), not self.strip and self.normalize == "none"
        with self.opened() as file:
            for lines, n_empty in self.lines(file, counts):
                kept = [text for text in lines if text and not text.isspace()]
                counts[BLANK] += len(lines) - len(kept) - lines.count(None) + n_empty
                yield records_of(kept if plain else map(self.cleaned, kept), self.label, self.split)
        self.store_counts(counts)

    def cleaned(self, text: str) -> str:
        """Return a text stripped and normalized according to the options."""
        text = text.strip() if self.strip else text
        return text if self.normalize == "none" else unicodedata.normalize(self.normalize, text)

    def store_counts(self, counts: Mapping[str, int]) -> None:
        """Keep the counts of a complete pass."""
        self.counts.clear()
        self.counts.update({name: n for name, n in counts.items() if n})

    def opened(self, newline: Literal[""] | None = None) -> contextlib.AbstractContextManager[TextIOWrapper]:
        """Return the opened file as a context; see ``open_text`` for what it raises."""
        return open_text(self.path, check_encoding(self.encoding), newline, self._within)

    def _may_be_marked(self) -> bool:
        return check_encoding(self.encoding) not in STRIPS_BOM and (self._within is None or not self._within[0])

    def stamp(self) -> list[object]:
        """Return JSON values that change when the file does; "" stands for a missing file."""
        how = [self.encoding, self.encoding_errors, self.long_lines, self.strip, self.normalize]
        return [*stamp_of(self.path), self.label, self.split, self.max_line_chars, *how]

    def source_files(self) -> list[Path]:
        """Return the file, or the archive that holds it, in a list."""
        return [file_of(self.path)]

    def blocks(self) -> Iterator[str]:
        """Yield the text in pieces, line ends made LF; a piece ends with a line unless the line is very long."""
        rest, at_start, counts = "", self._may_be_marked(), Counter[str]()
        with self.opened() as file:
            for block in _blocks(file):
                if not is_decodable(block):
                    if self.encoding_errors == "strict":
                        raise replace(self, long_lines="skip").find_problem()
                    put, name = ("\ufffd", REPLACED) if self.encoding_errors == "replace" else ("", SKIPPED)
                    block, n = replace_undecodable(block, put)
                    counts[name] += n
                rest += block.removeprefix("\ufeff") if at_start else block
                at_start = False
                cut = rest.rfind("\n") + 1 or (len(rest) if len(rest) >= _BLOCK_CHARS else 0)
                if cut:
                    yield rest[:cut]
                    rest = rest[cut:]
        if rest:
            yield rest
        self.store_counts(counts)

    def numbered_lines(self, counts: Counter[str]) -> Iterator[tuple[int, str]]:
        """Yield the lines that are not blank, numbered from 1, and add to ``counts``."""
        first = 1
        with self.opened() as file:
            for lines, n_empty in self.lines(file, counts):
                for number, line in enumerate(lines, first):
                    if line and not line.isspace():
                        yield number, line
                    else:
                        counts[BLANK] += line is not None
                first += len(lines) + n_empty
                counts[BLANK] += n_empty

    def bounded_lines(self, file: TextIOWrapper) -> Iterator[str]:
        """Yield the lines of a file opened with ``newline=""``, with their line ends.

        Raises:
            CorpusError: a line is too long.
        """
        limit, n_empty = self.max_line_chars, 0
        while line := file.readline(limit + 3):  # with a mark at the start and CR LF at the end
            n_empty = n_empty + 1 if line.isspace() else 0
            if n_empty > _MAX_EMPTY:
                raise CorpusError(f"{str(self.path)!r} is not a table: it has {n_empty:,} consecutive blank lines")
            if len(line) > limit and len(line.rstrip("\r\n").removeprefix("\ufeff")) > limit:
                raise replace(self, long_lines="refuse").find_problem(skippable=False)
            yield line

    def lines(self, file: TextIOWrapper, counts: Counter[str]) -> Iterator[tuple[_Lines, int]]:
        """Yield lists of lines, each with the number of empty lines that follow it."""
        begun, at_start, dropping, spoiled = "", self._may_be_marked(), False, False
        lines: _Lines
        for piece, n_empty in without_runs(whole_lines(_blocks(file), self.max_line_chars)):
            *found, rest = (begun + (piece.removeprefix("\ufeff") if at_start else piece)).split("\n")
            lines = list(found)
            if dropping:  # the rest of an overlong line
                lines[:1], rest, dropping = [None] * bool(lines), rest if lines else "", not lines
            if max(map(len, (*found, rest))) > self.max_line_chars:
                if self.long_lines == "refuse":
                    raise self.find_problem()
                lines, rest, dropping = self._without_long(lines, rest, dropping, counts)
            spoiled = spoiled or not is_decodable(piece)
            if spoiled:
                lines = [line if line is None else self.handle_undecodable(line, counts) for line in lines]
                spoiled = not is_decodable(rest)
            yield lines, n_empty
            begun, at_start = rest, False
        if begun:
            yield [self.handle_undecodable(begun, counts)], 0

    def _without_long(self, lines: _Lines, rest: str, dropping: bool, counts: Counter[str]) -> tuple[_Lines, str, bool]:
        kept = [line if line is not None and len(line) <= self.max_line_chars else None for line in lines]
        counts[LONG] += kept.count(None) - lines.count(None)
        if len(rest) > self.max_line_chars:
            counts[LONG] += 1
            return kept, "", True
        return kept, rest, dropping

    def handle_undecodable(self, line: str, counts: Counter[str]) -> str | None:
        """Return a line with undecodable bytes handled, or None if it is skipped; add to ``counts``.

        Raises:
            CorpusError: it has such bytes, and ``encoding_errors`` is "strict".
        """
        if is_decodable(line):
            return line
        if self.encoding_errors == "strict":
            raise self.find_problem()
        if self.encoding_errors == "skip":
            counts[UNDECODABLE] += 1
            return None
        line, n = replace_undecodable(line, "\ufffd")
        counts[REPLACED] += n
        return line

    def takes(self, text: str, what: str, counts: Counter[str], hint: str = SKIPS_LONG) -> bool:
        """Return whether a record that is no line of its own is short enough; count it if it is to be skipped.

        Args:
            text: its text.
            what: the record, for the message, such as "row 3".
            counts: gets a skipped one.
            hint: what else to do about one that is too long.

        Raises:
            CorpusError: it is too long, and such records are not to be skipped.
        """
        if len(text) <= self.max_line_chars:
            return True
        if self.long_lines == "refuse":
            raise CorpusError(
                f"{str(self.path)!r}, {what}: it has {len(text):,} characters, more than {self.max_line_chars}; "
                f"-o corpus.max_line_chars=N allows longer ones, {hint}"
            )
        counts[LONG_RECORDS] += 1
        return False

    def head(self) -> str:
        """Return the first characters of the file, without a byte order mark."""
        with self.opened() as file:
            return file.read(START).removeprefix("\ufeff")

    def find_problem(self, *, skippable: bool = True) -> CorpusError:
        """Read the whole file and return what is wrong with it; ``skippable`` is whether lines can be left out."""
        ways = "-o corpus.max_line_chars=N allows longer lines"
        ways += ", -o corpus.long_lines=skip skips them; " if skippable else "; "
        ways += "--layout stream reads one long text"
        with replace(self, _within=None).opened(newline="") as file:
            limit = self.max_line_chars if self.long_lines == "refuse" else None
            return find_first_problem(file, str(self.path), file.encoding, limit, ways)


@dataclass(frozen=True)
class FileSource:
    """A base class of sources that read one text file.

    Attributes:
        file: the file.
    """

    file: TextFile

    @property
    def counts(self) -> Mapping[str, int]:
        """Return what the last complete pass skipped or changed."""
        return self.file.counts

    def stamp(self) -> list[object]:
        """Return a value that changes when the file does."""
        return self.file.stamp()

    def source_files(self) -> list[Path]:
        """Return the file, in a list."""
        return self.file.source_files()


def _blocks(file: TextIOWrapper) -> Iterator[str]:
    """Return an iterator over the rest of a file, block by block."""
    return iter(lambda: file.read(_BLOCK_CHARS), "")


def read_lines(path: str | Path, *, max_line_chars: int = MAX_LINE_CHARS) -> TextFile:
    """Return the lines of a UTF-8 text file as a restartable iterable of records."""
    return TextFile(Path(path), max_line_chars=max_line_chars)


# -- cutting blocks of text at line ends, in linear time

_RUN = "\n" * 64
_RUNS = re.compile("(?<=\n)(\n{63,})")


def whole_lines(blocks: Iterable[str], most: int) -> Iterator[str]:
    """Yield the blocks cut so that each piece ends with a line end.

    The last piece may lack it, and so does a piece of a line that is longer than ``most`` characters.

    Args:
        blocks: a text with LF as line ends, in pieces of any size.
        most: the number of characters beyond which a line is no longer buffered.
    """
    begun, size = list[str](), 0  # of the line that is still open
    for block in blocks:
        cut = block.rfind("\n") + 1
        if cut:
            yield "".join((*begun, block[:cut]))
            begun, size = [], 0
        begun.append(block[cut:])
        size += len(block) - cut
        if size > most:
            yield "".join(begun)
            begun, size = [], 0
    if size:
        yield "".join(begun)


def without_runs(pieces: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield the pieces without long runs of empty lines, each with the number of empty lines that follow it.

    A gigabyte of line ends fits into a gzipped file of a megabyte, and a line costs more time than a character.
    """
    for piece in pieces:
        if _RUN not in piece:
            yield piece, 0
            continue
        texts = _RUNS.split(piece)
        for text, run in itertools.zip_longest(texts[::2], texts[1::2], fillvalue=""):
            yield text, len(run)
