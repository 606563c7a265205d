"""Lines of a text, white space and a name, as .smi files have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from seqgen.corpus.corpus import Record
from seqgen.corpus.readers import TextFile

NAME = "name"


@dataclass(frozen=True)
class TrailingNames:
    """The first word of each line as a text; what follows it is the record's field ``name``.

    Attributes:
        file: the lines.

    Raises (while iterating): as of ``TextFile``.
    """

    file: TextFile

    def __iter__(self) -> Iterator[Record]:
        """The records, from the first line."""
        for record in self.file:
            words = record.text.split(None, 1)
            if words[0] == record.text:
                yield record
            else:
                fields = {NAME: name} if (name := "".join(words[1:]).rstrip()) else {}
                yield Record(words[0], record.label, fields, record.split)

    @property
    def counts(self) -> Mapping[str, int]:
        """What the last pass to the end skipped or changed."""
        return self.file.counts

    def stamp(self) -> list[object]:
        """What changes when the records do."""
        return [self.file.stamp(), NAME]

    def source_files(self) -> list[Path]:
        """The file, in a list."""
        return self.file.source_files()
