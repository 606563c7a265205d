"""Readers of FASTA and FASTQ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field

import seqgen

NO_SEQUENCE = "entries without a sequence skipped"
_SEQUENCE = re.compile(r"[A-Za-z*.-]+")
_FASTA = re.compile(rb"(?:;.*\n)*>.*\n(?:;.*\n)*(?:[A-Za-z*.-]+[ \t\r]*\n)+(?:[>;\s]|[A-Za-z*.-]*\Z)")
_FASTQ = re.compile(rb"@.*\n[A-Za-z*.-]+\r?\n\+")
Upper = Annotated[bool, Field(description="write all letters in upper case; lower ones often mark repeats")]


def is_fasta(name: str, start: bytes) -> bool:
    """Return whether a file starts with an entry of FASTA."""
    return _FASTA.match(start) is not None


def is_fastq(name: str, start: bytes) -> bool:
    """Return whether a file starts with an entry of FASTQ."""
    return _FASTQ.match(start) is not None


class _Reader:
    """Sequences, each with the fields ``id`` and ``description`` of the first line of its entry.

    Args:
        upper: whether letters are written in upper case.

    Attributes:
        counts: how many entries have no sequence.
    """

    def __init__(self, *, upper: Upper = False) -> None:
        self._upper, self.counts = upper, Counter[str]()

    def _entry(self, head: str, text: str) -> Iterator[seqgen.Record]:
        """Yield the record of an entry, unless it has no sequence; the first word of its first line is its id."""
        if not text:
            self.counts[NO_SEQUENCE] += 1
            return
        fields = dict(zip(("id", "description"), head.strip().split(None, 1), strict=False))
        yield seqgen.Record(text.upper() if self._upper else text, fields=fields)


class FastaReader(_Reader):
    """The sequences of a FASTA file; lines that start with ; are comments, as in the first versions of the format."""

    def read(self, lines: Iterable[str]) -> Iterator[seqgen.Record]:
        """Yield the entries.

        Raises:
            CorpusError: a line is neither the first of an entry nor a part of a sequence.
        """
        head: str | None = None
        parts: list[str] = []
        for line in lines:
            if line.startswith(">"):
                if head is not None:
                    yield from self._entry(head, "".join(parts))
                head, parts = line[1:], []
            elif part := "".join(line.split()):
                if line.startswith(";"):
                    continue
                if head is None:
                    raise seqgen.CorpusError(f"{line[:40]!r} stands before the first line that starts with >")
                if _SEQUENCE.fullmatch(part) is None:
                    raise seqgen.CorpusError(f"{line[:40]!r} is no part of a sequence")
                parts.append(part)
        if head is not None:
            yield from self._entry(head, "".join(parts))


class FastqReader(_Reader):
    """The sequences of a FASTQ file."""

    def read(self, lines: Iterable[str]) -> Iterator[seqgen.Record]:
        """Yield the entries; a sequence and its qualities may go over several lines.

        Raises:
            CorpusError: an entry lacks a part, or its qualities are not as long as its sequence.
        """
        rest = iter(lines)
        for head in rest:
            if not head.strip():
                continue
            if not head.startswith("@"):
                raise seqgen.CorpusError(f"an entry starts with @, not with {head[:40]!r}")
            text = self._sequence(rest)
            n_left = len(text)
            while n_left > 0:
                n_left -= len(_line(rest))
            if n_left < 0:
                raise seqgen.CorpusError("the qualities are not as long as the sequence")
            yield from self._entry(head[1:], text)

    def _sequence(self, rest: Iterator[str]) -> str:
        parts = []
        while not (line := _line(rest)).startswith("+"):
            if line and _SEQUENCE.fullmatch(line) is None:
                raise seqgen.CorpusError(f"{line[:40]!r} is no part of a sequence")
            parts.append(line)
        return "".join(parts)


def _line(rest: Iterator[str]) -> str:
    line = next(rest, None)
    if line is None:
        raise seqgen.CorpusError("the file ends within an entry")
    return line.rstrip()
