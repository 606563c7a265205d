"""A cache of what reading a large corpus has found out, such as its counts, kept outside of runs."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqgen.corpus import Corpus, Survey, get_source_files, get_stamp
from seqgen.errors import DiskError
from seqgen.files import SafePath, cache_folder, cache_key, dump_checksummed, read_cached, write_atomic

_FORMAT = 3
_FileStates = list[tuple[str, int, int, int, int]]
_contents: dict[tuple[str, int, int, int, int], str] = {}  # SHA-256 of files already read by this process


class CorpusCache:
    """A cached value computed from a corpus whose source can detect changes.

    A source detects them by a method ``stamp()`` that returns JSON values: for files their path, size and modification
    time. Since a file may be edited and its modification time reset, a cached value is used only if the files still
    have the same SHA-256, which takes about half a second per gigabyte, plus reading from disk.

    Args:
        corpus: the corpus; nothing is cached if its source has no stamp.
        facts: everything else that the value depends on, as JSON values.
    """

    def __init__(self, corpus: Corpus, facts: Mapping[str, Any]) -> None:
        found = get_stamp(corpus.source)
        self._path, self._files = None, get_source_files(corpus.source)
        self._states = _file_states(self._files)
        if found is not None:
            key = cache_key({"stamp": found, "format": _FORMAT, "layout": corpus.layout, **facts})
            self._path = SafePath(cache_folder("read")) / f"{key}.json"

    def read(self) -> Any:
        """Return the cached value; None if there is none, it is damaged, or the files have changed.

        Raises:
            LinkRefused: the cache file is a link.
        """
        kept = {} if self._path is None else read_cached(self._path)
        with contextlib.suppress(OSError, KeyError):
            return kept["value"] if kept["contents"] == _digests(self._states) else None
        return None

    def store(self, value: Any) -> None:
        """Cache JSON values computed since this object was created; None discards the cached value.

        Write errors are ignored.
        """
        if self._path is None:
            return
        with contextlib.suppress(DiskError, OSError):
            contents = _digests(self._states)
            if _file_states(self._files) == self._states:
                kept = dump_checksummed({"contents": contents, "value": value})
                write_atomic(self._path, kept, make_parents=True)


def _file_states(files: list[Path]) -> _FileStates:
    """Return the path, size, times of modification and status change, and inode of each file."""
    marks = [(str(path.resolve()), path.stat()) for path in files if path.is_file()]
    return [(name, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino) for name, at in marks]


def _digests(marks: _FileStates) -> list[str]:
    """Return the SHA-256 of each file, read unless this process has read it before.

    Raises:
        OSError: a file cannot be read.
    """
    for mark in marks:
        if mark not in _contents:
            with Path(mark[0]).open("rb") as file:
                _contents[mark] = hashlib.file_digest(file, "sha256").hexdigest()
    return [_contents[mark] for mark in marks]


def open_survey_cache(corpus: Corpus) -> CorpusCache:
    """Return the cache of a corpus's survey."""
    return CorpusCache(corpus, {"what": "survey"})


def read_survey(cache: CorpusCache) -> Survey | None:
    """Return the cached survey, or None."""
    try:
        found = cache.read()
        return None if found is None else Survey(**found)
    except TypeError:
        return None


def store_survey(cache: CorpusCache, counted: Survey) -> None:
    """Cache a survey."""
    cache.store(dataclasses.asdict(counted) | {"values": {}})
