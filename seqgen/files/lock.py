"""One process at a time in a run folder."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from pathlib import Path
from typing import IO

from seqgen.errors import RunLocked
from seqgen.files.publish import disk_errors

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


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
