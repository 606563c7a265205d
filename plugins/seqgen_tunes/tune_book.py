"""A reader of tune books in ABC."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field

import seqgen
from seqgen_tunes.abc_files import SourceTune, source_tunes
from seqgen_tunes.corpus import record_of

_NAMES = {"T": "title", "R": "rhythm", "C": "composer", "O": "origin", "B": "book", "S": "source"}
_START = re.compile(rb"(?:%.*\n|[^\S\n]*\n)*X:\s*\d+.*\n(?:(?:[A-JL-Za-z]:|%).*\n)*K:")


def is_tune_book(name: str, start: bytes) -> bool:
    """Return whether a file starts with a tune, after comments and empty lines."""
    return _START.match(start) is not None


class TuneBookReader:
    """The tunes of a file, each with the fields title, rhythm, composer, origin, book and source as far as it has them.

    A tune starts with X: and ends before an empty line or the next X:. It is written as those of the corpus ``tunes``
    are: metre, unit, key, and the music without decorations, chord names, lyrics and comments. Tunes of several voices,
    without a legal header, or whose bars do not fill the metre are skipped and counted.

    Args:
        normalize: False yields the lines of each tune as they are.

    Attributes:
        counts: how many tunes are skipped, by the reason.
    """

    def __init__(
        self,
        *,
        normalize: Annotated[bool, Field(description="write each tune as those of the corpus tunes")] = True,
    ) -> None:
        self._normalize, self.counts = normalize, Counter[str]()

    def read(self, lines: Iterable[str]) -> Iterator[seqgen.Record]:
        """Yield the tunes."""
        if not self._normalize:
            yield from _as_they_are(lines)
            return
        for tune in source_tunes(lines):
            record = record_of(tune)
            if isinstance(record, str):
                self.counts[f"tunes skipped: {record}"] += 1
            else:
                yield record._replace(fields={**record.fields, **_named(tune)})


def _named(tune: SourceTune) -> dict[str, str]:
    found = {name: tune.fields.get(letter, "").strip() for letter, name in _NAMES.items()}
    return {name: value for name, value in found.items() if value}


def _as_they_are(lines: Iterable[str]) -> Iterator[seqgen.Record]:
    tune: list[str] = []
    for line in lines:
        if tune and (line.startswith("X:") or not line.strip()):
            yield seqgen.Record("\n".join(tune))
            tune = []
        if line.startswith("X:") or tune:
            tune.append(line.rstrip())
    if tune:
        yield seqgen.Record("\n".join(tune))
