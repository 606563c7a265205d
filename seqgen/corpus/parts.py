"""A large corpus divided into parts that several processes read: whole files, and ranges of lines of plain text."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from seqgen.corpus.corpus import PresplitSource, Record, get_counts
from seqgen.corpus.opening import UTF8, check_encoding, marked_encoding
from seqgen.corpus.places import is_packed, size_of
from seqgen.corpus.readers import FileSource, TextFile
from seqgen.corpus.reading import ReaderRecords
from seqgen.corpus.several import JoinedFiles

LARGE_BYTES = 128 << 20
"""The size of the files of a corpus from which starting other processes pays off."""
PART_BYTES = 16 << 20
_AT_ONCE = 1 << 16

Part = list[list[int]]
"""Consecutive pieces of a corpus: the number of a file, its first byte, and the byte after the last; -1: all of it."""


def files_of(source: Any) -> Sequence[Any]:
    """Return the sources of the files, in order; [] if the records are not those of files, or are pieces of a text."""
    if isinstance(source, PresplitSource):
        found = [(split, files_of(part)) for split, part in source.parts().items()]
        if not all(files for _, files in found):
            return []
        if not source.divided:
            return [_of_split(file, split) for split, files in found for file in files]
        (_, train), *held = found
        own = any(isinstance(file, ReaderRecords) for file in train)  # which may say of which part each record is
        return [] if own else [*train, *(_of_split(file, split) for split, files in held for file in files)]
    if isinstance(source, JoinedFiles):
        files = [] if source.stream else list(source.sources())
        return files if all(isinstance(file, TextFile | FileSource) for file in files) else []
    return [source] if isinstance(source, TextFile | FileSource) else []


def divide(files: Sequence[Any], least: int | None = None, size: int | None = None) -> list[Part]:
    """Return the parts of a large corpus, in order; their records, one part after the other, are its records.

    A part is a range of whole lines of a plain text file, or several whole files.

    Args:
        files: its files, as ``files_of`` returns them.
        least: the size from which a corpus is divided, bytes; None: ``LARGE_BYTES``.
        size: about the size of a part, bytes; None: ``PART_BYTES``.

    Returns:
        The parts; [] if it is not large, or cannot be divided.
    """
    least, size = least or LARGE_BYTES, size or PART_BYTES
    sizes = [size_of(_text_file(file).path) for file in files]
    if sum(sizes) < least:
        return []
    parts, filled = list[Part](), size
    for number, (file, n_bytes) in enumerate(zip(files, sizes, strict=True)):
        for first, end in _ranges(file, n_bytes, size):
            if filled >= size:
                parts.append([])
                filled = 0
            parts[-1].append([number, first, end])
            filled += n_bytes if end < 0 else end - first
    return parts if len(parts) > 1 else []


@dataclass(frozen=True)
class PartOfCorpus:
    """The records of one part of a corpus.

    Attributes:
        files: all files of the corpus.
        part: the part.
        counts: what the last complete pass skipped or changed.
    """

    files: Sequence[Any]
    part: Part
    counts: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records from the first one of the part."""
        return itertools.chain.from_iterable(self._pieces())

    def _pieces(self) -> Iterator[Iterable[Record]]:
        total = Counter[str]()
        for number, first, end in self.part:
            file = self.files[number]
            if isinstance(file, TextFile) and end >= 0:
                file = replace(file, _within=(first, end), counts={})
            yield file
            total.update(get_counts(file))
        self.counts.clear()
        self.counts.update(total)


def _of_split(source: Any, split: Literal["train", "valid", "test"]) -> Any:
    if isinstance(source, TextFile):
        return replace(source, split=split, counts={})
    return replace(source, file=_of_split(source.file, split))


def _text_file(source: Any) -> TextFile:
    file = source if isinstance(source, TextFile) else source.file
    assert isinstance(file, TextFile)
    return file


def _ranges(source: Any, n_bytes: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of whole lines of about the same size, first and end byte; (0, -1) for a file read as a whole.

    A line end is one byte of its own in UTF-8 only. A row of a table may hold line ends, and its first one has the
    names of the fields; a record of a reader begins where the reader says.
    """
    cuts = [0]
    if isinstance(source, TextFile) and isinstance(source.path, Path) and check_encoding(source.encoding) == UTF8:
        with source.path.open("rb") as file:
            start = file.read(4)
            at = size if marked_encoding(start) == UTF8 and not is_packed(start) else n_bytes
            while at < n_bytes:
                file.seek(at - 1)
                for block in iter(lambda: file.read(_AT_ONCE), b""):
                    if (end := block.find(b"\n")) >= 0:
                        cuts.append(file.tell() - len(block) + end + 1)
                        break
                else:
                    break
                at = cuts[-1] + size
    if len(cuts) == 1 or cuts[-1] < n_bytes:
        cuts.append(n_bytes if len(cuts) > 1 else -1)
    yield from itertools.pairwise(cuts)
