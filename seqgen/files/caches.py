"""Caches outside of runs: their folders, the names of their files, the values in these, and digests of code."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seqgen.errors import DiskError
from seqgen.files.atomic_write import disk_errors, write_atomic
from seqgen.files.safe_path import SafePath
from seqgen.files.stored_json import dump_checksummed, load_checksummed
from seqgen.files.temporary import remove_abandoned, temporary_folder

_FORMAT = 4  # of what reading a corpus has found out
_FileStates = list[tuple[str, int, int, int, int]]
_contents: dict[tuple[str, int, int, int, int], str] = {}  # SHA-256 of files already read by this process


def cache_folder(name: str) -> Path:
    """Return the folder of a cache, below ``XDG_CACHE_HOME`` or ``~/.cache``; without these in the temporary folder.

    Raises:
        DiskError: that in the temporary folder cannot be made, or other users may write to it.
    """
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "seqgen" / name
    try:
        return Path.home() / ".cache" / "seqgen" / name
    except RuntimeError:  # no home folder, as for a user of a container that has no entry in its list of users
        return _temporary_home() / name


def _temporary_home() -> Path:
    """Return a folder of this user alone in the temporary folder, which other users may write to."""
    user = os.getuid() if hasattr(os, "getuid") else None
    home = Path(tempfile.gettempdir()) / ("seqgen" if user is None else f"seqgen-{user}")
    with disk_errors(home):
        home.mkdir(mode=0o700, exist_ok=True)
        found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or (user is not None and (found.st_uid != user or found.st_mode & 0o022)):
        raise DiskError(
            f"cannot use the cache folder {str(home)!r}: other users may have put files there; set XDG_CACHE_HOME to a "
            "folder of your own"
        )
    return home


def cache_key(facts: Mapping[str, Any]) -> str:
    """Return the name of a file or folder in a cache, by all that its content depends on, as JSON values."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def read_cached(path: SafePath) -> dict[str, Any]:
    """Return the JSON object that was cached by ``dump_checksummed``; {} if there is none, or it is damaged.

    Raises:
        LinkRefused: the file is a link.
    """
    try:
        value, has_checksum = load_checksummed(path.read())
    except (OSError, ValueError):
        return {}
    return value if has_checksum else {}


def code_digest(code: Any) -> str:
    """Return a digest of the source file of a class or function, and of the modules of its package beside it.

    "" if it has no file, as in a notebook.
    """
    try:
        file = Path(inspect.getfile(code))
        return _digest(file, file.stat().st_mtime_ns)
    except (OSError, TypeError):
        return ""


@functools.lru_cache(maxsize=256)
def _digest(file: Path, changed_ns: int) -> str:
    found, folder = hashlib.sha256(), file.parent
    beside = sorted(folder.glob("*.py")) if (folder / "__init__.py").exists() else [file]
    for one in beside:
        data = one.read_bytes()
        found.update(f"{one.name} {len(data)} ".encode())
        found.update(data)
    return found.hexdigest()


# -- input that can be read only once


def spool(home: Path, name: str, blocks: Iterable[bytes]) -> Path:
    """Store bytes as ``home/DIGEST/name`` and return that file; equal bytes of the same name are stored once.

    Args:
        home: the folder, which only seqgen writes to.
        name: the file name; it goes into the digest, SHA-256, as well.
        blocks: the bytes in pieces; an OSError that it raises would be taken for one of writing.

    Raises:
        LinkRefused: a part of the path below ``home`` is a link.
        DiskError: writing failed; nothing is left behind.
    """
    digest, safe = hashlib.sha256(name.encode("utf-8", "surrogateescape") + b"\0"), SafePath(home)
    with disk_errors(home), safe.opened(make=True) as directory:
        remove_abandoned(directory)
        with temporary_folder(directory) as temporary:
            new = safe / temporary
            with SafePath(new.root, (*new.names, name)).open("xb") as file:
                if hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), 0o600)  # it may be private
                for block in blocks:
                    digest.update(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            folder = digest.hexdigest()[:32]
            if directory.status(folder) is None:
                with new.opened() as filled:
                    filled.sync()
                try:
                    directory.replace(temporary, folder)
                except OSError:
                    if directory.status(folder) is None:  # else another process has just stored the same
                        raise
                directory.sync()
    return home / folder / name


# -- what reading files has found out


class ReadingCache:
    """A cached value that was computed from files, such as the counts of a large corpus.

    Since a file may be edited and its modification time reset, a cached value is used only if the files still have the
    same SHA-256, which takes about half a second per gigabyte, plus reading from disk.

    Args:
        stamp: changes when the files do, as JSON values: their paths, sizes and modification times; None: nothing is
            cached.
        files: the files.
        facts: everything else that the value depends on, as JSON values.
    """

    def __init__(self, stamp: object, files: list[Path], facts: Mapping[str, Any]) -> None:
        self._path, self._files = None, files
        self._states = _file_states(files)
        if stamp is not None:
            key = cache_key({"stamp": stamp, "format": _FORMAT, **facts})
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
