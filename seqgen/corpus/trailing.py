"""Lines of a text, white space and a name, as in .smi files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seqgen.corpus.corpus import Record
from seqgen.corpus.readers import FileSource

NAME = "name"


@dataclass(frozen=True)
class TrailingNames(FileSource):
    """The first word of each line as the text, and the rest as the record's field ``name``.

    Attributes:
        file: the lines.

    Raises (while iterating): as ``TextFile`` does.
    """

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records from the first line."""
        for record in self.file:
            words = record.text.split(None, 1)
            if words[0] == record.text:
                yield record
            else:
                fields = {NAME: name} if (name := "".join(words[1:]).rstrip()) else {}
                yield Record(words[0], record.label, fields, record.split)

    def stamp(self) -> list[object]:
        """Return a value that changes when the records do."""
        return [self.file.stamp(), NAME]
