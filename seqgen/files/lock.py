"""One process at a time in a run folder."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import time
from pathlib import Path
from typing import IO

from seqgen.errors import DiskError, RunLocked
from seqgen.files.publish import disk_errors, refuse_link

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


_NAME = ".lock"
_LONGEST = 1000  # characters
_LOOKS, _PAUSE_S = 50, 0.01  # while the holder has the lock and has not yet written who it is


class FolderLock:
    """An exclusive lock on a folder, held by this process until released or killed.

    Args:
        folder: an existing folder; the lock is its file ``.lock``, which says who holds it. The lock stays with
            the folder when that is renamed.

    Raises:
        RunLocked: another process holds it.
        CheckpointError: the lock file is a link.
        DiskError: the lock file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / _NAME
        refuse_link(path)
        with disk_errors(path):
            self._file: IO[str] = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="utf-8")
            self._file.seek(0, os.SEEK_END)  # where Windows puts the lock: what is before can be read
            locked = _try_lock(self._file)
        if not locked:
            holder = _holder(self._file)
            self._file.close()
            raise RunLocked(f"the run {str(folder)!r} is being trained by {holder}; wait for it, or stop it")
        try:
            with disk_errors(path):
                self._file.seek(0)  # written over, so that whoever reads it never finds it empty
                self._file.write(this_process())
                self._file.flush()
                self._file.truncate()
        except DiskError:
            with contextlib.suppress(OSError):
                self._file.close()
            raise

    def release(self) -> None:
        """Give the folder free."""
        with contextlib.suppress(OSError):
            self._file.truncate(0)
        self._file.close()


def this_process() -> str:
    """What the lock file says while this process holds the lock."""
    return f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n"


def lock_file() -> dict[str, bytes]:
    """The lock file, by name, of a folder that this process is about to make and to lock."""
    return {_NAME: this_process().encode()}


def last_holder(folder: Path) -> str:
    """Who holds the lock of a folder, or was killed while it did; "" if nobody. Does not touch the lock."""
    path = folder / _NAME
    try:
        return _name_in(path.read_text("utf-8", "replace")) if path.is_file() else ""
    except OSError:
        return ""


def _holder(file: IO[str]) -> str:
    """Who holds a lock that is held, as its file says."""
    for _ in range(_LOOKS):
        file.seek(0)
        if name := _name_in(file.read(_LONGEST)):
            return name
        time.sleep(_PAUSE_S)
    return "another process"


def _name_in(text: str) -> str:
    """The first line: behind it may be what is left of a longer one."""
    return text.partition("\n")[0].strip()


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
