"""One process at a time in a run folder."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import BinaryIO

from seqgen.errors import RunLocked
from seqgen.files.advisory import try_lock
from seqgen.files.atomic_write import disk_errors
from seqgen.files.safe_path import SafePath

_NAME = ".lock"
_LONGEST = 1000  # bytes
_LOOKS, _PAUSE_S = 50, 0.01  # while the holder has the lock and has not yet written who it is
_TRIES = 20  # of the lock on the folder: who looks whether it is abandoned has that for a moment


class FolderLock:
    """An exclusive lock on a folder, held by this process until released or killed.

    Two locks are taken: on the folder itself, where the system can, so that nobody gets in by removing a file; and on
    its file ``.lock``, which says who holds it. Both stay with the folder when that is renamed.

    Args:
        folder: an existing folder.

    Raises:
        RunLocked: another process holds it.
        LinkRefused: the lock file is a link.
        DiskError: the lock file cannot be written.
    """

    def __init__(self, folder: Path | SafePath) -> None:
        self._folder = SafePath(folder) if isinstance(folder, Path) else folder
        with contextlib.ExitStack() as stack:
            with disk_errors(self._folder.path):
                self._directory = stack.enter_context(self._folder.opened())
            if self._directory.descriptor is not None and not _try_folder(self._directory.descriptor):
                raise self._locked()
            self._file = self._take()
            self._stack = stack.pop_all()

    def ensure_held(self) -> None:
        """Make sure that the lock file is still this process's; put it back if somebody has removed it.

        Raises:
            RunLocked: it has been removed, and another process has taken it since.
            DiskError: it cannot be put back.
        """
        if not self._directory.is_same_file(_NAME, self._file.fileno()):
            before, self._file = self._file, self._take()
            before.close()

    def release(self) -> None:
        """Give the folder free."""
        with contextlib.suppress(OSError):
            self._file.truncate(0)
        _close_quietly(self._file)
        self._stack.close()

    def _take(self) -> BinaryIO:
        """Open the lock file, lock it and write who holds it."""
        path = self._folder / _NAME
        with disk_errors(path.path):
            file = path.open("r+b")
        with contextlib.ExitStack() as stack:
            stack.callback(_close_quietly, file)
            with disk_errors(path.path):
                file.seek(0, os.SEEK_END)  # where Windows puts the lock: what is before can be read
                if not try_lock(file.fileno()):
                    raise self._locked()
                file.seek(0)  # written over, so that whoever reads it never finds it empty
                file.write(this_process().encode())
                file.flush()
                file.truncate()
            stack.pop_all()
        return file

    def _locked(self) -> RunLocked:
        """Who holds the lock that is held, as its file says, in an error."""
        holder = ""
        for _ in range(_LOOKS):
            if holder := last_holder(self._folder):
                break
            time.sleep(_PAUSE_S)
        by = holder or "another process"
        return RunLocked(f"the run {str(self._folder.path)!r} is being trained by {by}; wait for it, or stop it")


def this_process() -> str:
    """What the lock file says while this process holds the lock."""
    return f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n"


def lock_file() -> dict[str, bytes]:
    """The lock file, by name, of a folder that this process is about to make and to lock."""
    return {_NAME: this_process().encode()}


def last_holder(folder: Path | SafePath) -> str:
    """Who holds the lock of a folder, or was killed while it did; "" if nobody. Does not touch the lock.

    Raises:
        LinkRefused: the lock file is a link.
    """
    path = (SafePath(folder) if isinstance(folder, Path) else folder) / _NAME
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).partition(b"\n")[0].decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _try_folder(descriptor: int) -> bool:
    """Lock a folder; False if another process holds it, True also where folders cannot be locked."""
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            if not try_lock(descriptor):
                time.sleep(_PAUSE_S)
                continue
        return True
    return False


def _close_quietly(file: BinaryIO) -> None:
    with contextlib.suppress(OSError):
        file.close()
