"""What was learned by reading a large corpus through, kept until its files change."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqgen.corpus import Corpus, Survey, get_source_files, get_stamp
from seqgen.errors import DiskError
from seqgen.files import SafePath, cache_folder, dump_checksummed, load_checksummed, write_atomic

_FORMAT = 3
_Marks = list[tuple[str, int, int, int, int]]
_contents: dict[tuple[str, int, int, int, int], str] = {}  # SHA-256 of files that this process has read


class Memo:
    """One thing that is known of a corpus whose source can tell whether it has changed.

    A source tells by a method ``stamp()``, which gives JSON values: of files their path, size and time of change. Since
    a file may be edited and its time put back, what was kept is used only if the files, read through, have the SHA-256
    that they had then: about half a second for a gigabyte, and the time that the disk takes.

    Args:
        corpus: the corpus; without a stamp nothing is kept.
        facts: what else the thing depends on, as JSON values.
    """

    def __init__(self, corpus: Corpus, facts: Mapping[str, Any]) -> None:
        found = get_stamp(corpus.source)
        self._path, self._files, self._marks = (
            None,
            get_source_files(corpus.source),
            _marks(get_source_files(corpus.source)),
        )
        if found is not None:
            told = json.dumps({"stamp": found, "format": _FORMAT, **facts}, sort_keys=True)
            self._path = SafePath(cache_folder("read")) / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"

    def read(self) -> Any:
        """What was kept, or None; it is damaged, or of other files, where a checksum does not fit.

        Raises:
            LinkRefused: it is a link.
        """
        try:
            if self._path is None:
                return None
            kept, sealed = load_checksummed(self._path.read())
            return kept["value"] if sealed and kept["contents"] == _contents_of(self._marks) else None
        except (OSError, ValueError, KeyError):
            return None

    def keep(self, value: Any) -> None:
        """Keep JSON values, learned since this object was made; None: forget them.

        A disk that refuses costs nothing but the time of reading again.
        """
        if self._path is not None:
            try:
                contents = _contents_of(self._marks)
                if _marks(self._files) == self._marks:
                    kept = dump_checksummed({"contents": contents, "value": value})
                    write_atomic(self._path, kept, make_parents=True)
            except (DiskError, OSError):
                return


def _marks(files: list[Path]) -> _Marks:
    """What the system knows of files: path, size, times of change of content and of anything else, number."""
    marks = [(str(path.resolve()), path.stat()) for path in files if path.is_file()]
    return [(name, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino) for name, at in marks]


def _contents_of(marks: _Marks) -> list[str]:
    """The SHA-256 of files, which are read for it unless this process has done so.

    Raises:
        OSError: one cannot be read.
    """
    for mark in marks:
        if mark not in _contents:
            with Path(mark[0]).open("rb") as file:
                _contents[mark] = hashlib.file_digest(file, "sha256").hexdigest()
    return [_contents[mark] for mark in marks]


def survey_memo(corpus: Corpus) -> Memo:
    """Where the counts of a corpus are kept."""
    return Memo(corpus, {"what": "survey", "layout": corpus.layout})


def read_survey(memo: Memo) -> Survey | None:
    """The counts that were kept, or None."""
    try:
        found = memo.read()
        return None if found is None else Survey(**found)
    except TypeError:
        return None


def keep_survey(memo: Memo, counted: Survey) -> None:
    """Keep counts."""
    memo.keep(dataclasses.asdict(counted) | {"values": {}})
