"""Several files read as one corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seqgen.corpus.corpus import PresplitSource, Record, get_counts, get_stamp
from seqgen.corpus.places import Place, file_of
from seqgen.corpus.survey import count_of
from seqgen.corpus.tables import Table


@dataclass(frozen=True)
class JoinedFiles:
    """The records of several files, one after the other; each iteration reads the files again.

    Attributes:
        places: the files, in their order.
        source_of: returns the records of one file.
        stream: whether they are one long text; a file that does not end with a line end then gets one.
        kind_of: returns how a file is read, such as "as plain text"; None: nothing is reported of it.
        skipped: the numbers of folders left out, by description.
        counts: what the last complete pass skipped or changed, summed over the files.

    Raises (while iterating): as the sources of the files do.
    """

    places: tuple[Place, ...]
    source_of: Callable[[Place], Iterable[Record]] = field(compare=False)
    stream: bool = False
    kind_of: Callable[[Place], str] | None = field(default=None, compare=False)
    skipped: Mapping[str, int] = field(default_factory=dict, compare=False)
    counts: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records from those of the first file."""
        total, last = Counter[str](), Record("\n")
        for source in self.sources():
            for record in source:
                yield record
                last = record
            if self.stream and not last.text.endswith("\n"):
                yield (last := last._replace(text="\n"))
            total.update(get_counts(source))
        self.counts.clear()
        self.counts.update(total)

    def sources(self) -> Iterator[Iterable[Record]]:
        """Yield the records of each file."""
        return map(self.source_of, self.places)

    def kinds(self) -> dict[str, int]:
        """Return the numbers of files by how they are read; {} where all are read alike."""
        found = Counter(map(self.kind_of, self.places)) if self.kind_of is not None else Counter[str]()
        return {f"files read {kind}": n for kind, n in sorted(found.items())} if len(found) > 1 else {}

    def stamp(self) -> object:
        """Return a value that changes when a file is added, removed or changed."""
        found = [get_stamp(source) for source in self.sources()]
        return None if None in found else found

    def source_files(self) -> list[Path]:
        """Return the files on disk that the records are read from, each once."""
        return list(dict.fromkeys(map(file_of, self.places)))


def file_notes(source: object) -> list[str]:
    """Return notes on the files of a corpus: fields of tables that were taken for the text, kinds, folders left out.

    The fields are those of the training records, where they are one of several in their table; the numbers of their
    files by how they are read are given where not all are read alike.
    """
    train = source.train if isinstance(source, PresplitSource) else source
    tables = train.sources() if isinstance(train, JoinedFiles) else iter([train])
    taken = dict.fromkeys(filter(None, (table.taken_field() for table in tables if isinstance(table, Table))))
    notes = [f"the field {' or '.join(map(repr, taken))} is the text"] if taken else []
    counted = (train.kinds() if isinstance(train, JoinedFiles) else {}) | count_skipped(source)
    return notes + [count_of(n, name) for name, n in counted.items()]


def count_skipped(source: object) -> dict[str, int]:
    """Return the numbers of folders that are left out of the folders of a corpus, by description."""
    parts = source.parts().values() if isinstance(source, PresplitSource) else (source,)
    total = Counter[str]()
    for part in parts:
        total.update(part.skipped if isinstance(part, JoinedFiles) else {})
    return dict(total)
