"""The only module that writes to disk: what it publishes is whole or not there at all.

The order is that of a database: write to a temporary name beside the target, flush, fsync the file, rename, fsync
the folder. After a crash or a power loss either the old or the new content is there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from seqgen.errors import CheckpointError, DiskError, RunLocked

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_TEMPORARY = ".tmp-"


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about ``path`` into one line.

    Raises:
        DiskError: an OSError happened inside.
    """
    try:
        yield
    except OSError as error:
        free = ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            with contextlib.suppress(OSError):
                free = f" ({shutil.disk_usage(existing(path)).free:,} bytes free)"
        raise DiskError(f"cannot write {str(path)!r}: {error.strerror or error}{free}") from error


def existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return path if path.exists() else next((parent for parent in path.parents if parent.exists()), Path("/"))


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder durable; Windows has no such call."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and fsync it; the name itself is not yet durable."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def publish_file(path: Path, data: bytes) -> None:
    """Put a file in place atomically, replacing an older one.

    Raises:
        DiskError: the disk refused; an older file is untouched.
    """
    path = path.resolve()  # a link stays, what it leads to is replaced
    temporary = path.with_name(f"{_TEMPORARY}{path.name}-{os.getpid()}")
    with disk_errors(path):
        if path.exists() and not path.is_file():  # a device or a pipe is written to, and never replaced
            with path.open("wb") as file:
                file.write(data)
            return
        try:
            write_synced(temporary, data)
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def publish_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder of files in place atomically, in the order given; the name must be free or an empty folder.

    Raises:
        DiskError: the disk refused; nothing is left behind.
    """
    temporary = folder.with_name(f"{_TEMPORARY}{folder.name}-{os.getpid()}")
    with disk_errors(folder):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
            for name, data in files.items():
                write_synced(temporary / name, data)
            sync_folder(temporary)
            temporary.replace(folder)
            sync_folder(folder.parent)
        finally:
            remove_folder(temporary)


def remove_folder(folder: Path) -> None:
    """Remove a folder and what is in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_temporaries(folder: Path) -> None:
    """Remove what a killed process left half-written in a folder."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        remove_folder(path) if path.is_dir() else path.unlink(missing_ok=True)


def dump_json(value: Any) -> bytes:
    """JSON as it is stored: indented, UTF-8, keys in their order, one final line end."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "surrogatepass")


class JsonLines:
    """A log: a JSON object a line, appended.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Add lines.

        Raises:
            DiskError: the disk refused.
        """
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        with disk_errors(self.path), self.path.open("ab") as file:
            file.write(lines.encode("utf-8", "surrogatepass"))

    def sync(self) -> int:
        """Make the log durable; returns its size in bytes."""
        with disk_errors(self.path), self.path.open("ab") as file:
            os.fsync(file.fileno())
            return file.tell()

    def truncate(self, size: int) -> None:
        """Forget what was written after the log had ``size`` bytes.

        Raises:
            CheckpointError: the log has fewer.
        """
        with disk_errors(self.path), self.path.open("ab") as file:
            if file.tell() < size:
                raise CheckpointError(
                    f"{str(self.path)!r} has {file.tell()} bytes, the checkpoint says {size}: it is damaged; restore it"
                )
            file.truncate(size)

    def rows(self) -> list[dict[str, Any]]:
        """The lines; a last line that a crash cut short is left out."""
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                rows.append(json.loads(line.decode("utf-8", "surrogatepass")))
        return [row for row in rows if isinstance(row, dict)]


class FolderLock:
    """An exclusive lock on a folder, held by this process until released or killed.

    Args:
        folder: an existing folder; the lock is its file ``.lock``, which says who holds it. The lock stays with
            the folder when that is renamed.

    Raises:
        RunLocked: another process holds it.
        DiskError: the lock file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / ".lock"
        with disk_errors(path):
            self._file: IO[str] = path.open("a+", encoding="utf-8")
            locked = _try_lock(self._file)
        if not locked:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise RunLocked(f"the run {str(folder)!r} is being trained by {holder}; wait for it, or stop it")
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        with disk_errors(path):
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}\n")
            self._file.flush()

    def release(self) -> None:
        """Give the folder free."""
        self._file.close()


def _try_lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
