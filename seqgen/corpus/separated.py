"""Records of several lines each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat

from seqgen.corpus.corpus import Record
from seqgen.corpus.readers import LONG_RECORDS, SKIPS_LONG, FileSource
from seqgen.errors import CorpusError

UNREAD = "records with undecodable lines skipped"
BEFORE = "lines before the first record skipped"


@dataclass
class _Lines:
    """The lines of the record being read.

    Attributes:
        kept: the lines up to the last one that is not blank, unless the record is too long.
        blank: the blank lines after them.
        number: the number of the first line, from 1.
        n_chars: the length of the record in characters.
        unread: whether a line could not be decoded.
    """

    kept: list[str] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    number: int = 0
    n_chars: int = 0
    unread: bool = False


@dataclass(frozen=True)
class SeparatedRecords(FileSource):
    """The records of a text file, each of one or more lines; each iteration reads the file again.

    Attributes:
        file: the lines.
        separator: the start of the first line of each record; a line that is only the separator belongs to no record.
            "" for records separated by blank lines.

    Raises (while iterating):
        CorpusError: no line separates records, a record is too long, or the file cannot be read.
    """

    separator: str

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records from the first one."""
        counts, lines, is_cut = Counter[str](), _Lines(), False
        for number, line in self._numbered(counts):
            if line is None or not self._separates(line):
                self._add(lines, line, number)
                continue
            begins = bool(self.separator) and line.rstrip() != self.separator
            if begins and not is_cut:  # such as the header of a file of tunes
                counts[BEFORE] += len(lines.kept)
            else:
                yield from self._finished(lines, counts)
            is_cut, lines = True, _Lines()
            if begins:
                self._add(lines, line, number)
        if len(lines.kept) > 1 and not is_cut:
            sought = f"starts with {self.separator!r}" if self.separator else "is blank"
            raise CorpusError(
                f"cannot separate the records of {str(self.file.path)!r}: no line {sought}; pass another "
                "-o corpus.separator=, or none for one record per line"
            )
        yield from self._finished(lines, counts)
        self.file.store_counts(counts)

    def stamp(self) -> list[object]:
        """Return a value that changes when the records do."""
        return [self.file.stamp(), self.separator]

    def _numbered(self, counts: Counter[str]) -> Iterator[tuple[int, str | None]]:
        """Yield all lines numbered from 1, with long runs of empty ones shortened to what matters."""
        number, most_empty = 1, self.file.max_line_chars + 1 if self.separator else 1
        with self.file.opened() as opened:
            for lines, n_empty in self.file.lines(opened, counts):
                yield from enumerate(lines, number)
                number += len(lines)
                yield from enumerate(repeat("", min(n_empty, most_empty)), number)
                number += n_empty

    def _separates(self, line: str) -> bool:
        if self.separator:
            return line.startswith(self.separator)
        return not line or line.isspace()

    def _add(self, lines: _Lines, line: str | None, number: int) -> None:
        """Add a line to the record; None stands for a line that could not be decoded."""
        most = self.file.max_line_chars
        if line is None:
            lines.unread = True
        elif not line.strip():
            if lines.kept and len(lines.blank) <= most:  # more blank lines would exceed the limit
                lines.blank.append(line)
        else:
            added = [*lines.blank, line]
            lines.number, lines.blank = lines.number or number, []
            lines.n_chars += sum(map(len, added)) + len(added) - (not lines.kept)
            if lines.n_chars <= most:
                lines.kept += added
            elif self.file.long_lines == "refuse":
                raise CorpusError(
                    f"cannot read the record from line {lines.number} of {str(self.file.path)!r}: it is longer than "
                    f"{most} characters; -o corpus.max_line_chars=N allows longer ones, {SKIPS_LONG}"
                )

    def _finished(self, lines: _Lines, counts: Counter[str]) -> Iterator[Record]:
        """Yield the record made of the lines, if there is one."""
        if lines.unread or lines.n_chars > self.file.max_line_chars:
            counts[UNREAD if lines.unread else LONG_RECORDS] += 1
        elif text := self.file.cleaned("\n".join(lines.kept)):
            yield Record(text, self.file.label, split=self.file.split)
