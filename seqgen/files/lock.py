"""The lock that admits one process at a time to a run folder."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from seqgen.errors import RunLocked
from seqgen.files.advisory import try_lock
from seqgen.files.atomic_write import disk_errors
from seqgen.files.safe_path import SafePath

_NAME = ".lock"
_MAX_BYTES = 1000
_READS, _PAUSE_S = 50, 0.01  # while the holder has the lock but has not written its name yet
_LINE = re.compile(r"process (\d{1,10}) on (\S+) since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_CLOCK = "%Y-%m-%d %H:%M:%S"
_SLACK_S = 5.0  # between the start of a process by the kernel's clock and by the time it wrote
_TRIES = 20  # at the folder's lock, which a process that looks for abandoned folders holds for a moment


class FolderLock:
    """An exclusive lock on a folder, held by this process until it is released or the process ends.

    Two locks are taken: on the folder itself, where the system supports it, so that removing a file does not break the
    lock; and on its file ``.lock``, which names the holder. Both stay with the folder when it is renamed.

    Args:
        folder: the folder.
        make: whether to create it and its missing parents.
        held: what the error says of a folder that another process holds; None: that the run is being trained.

    Raises:
        RunLocked: another process holds it.
        LinkRefused: the lock file is a link.
        DiskError: the folder is missing, or the lock file cannot be written.
    """

    def __init__(self, folder: Path | SafePath, *, make: bool = False, held: str | None = None) -> None:
        self._folder = SafePath(folder) if isinstance(folder, Path) else folder
        self._held = held or f"the run {str(self._folder.path)!r} is being trained"
        with contextlib.ExitStack() as stack:
            with disk_errors(self._folder.path):
                self._directory = stack.enter_context(self._folder.opened(make=make))
            if self._directory.descriptor is not None and not _try_folder(self._directory.descriptor):
                raise self._locked()
            self._file = self._take()
            self._stack = stack.pop_all()

    def ensure_held(self) -> None:
        """Verify that this process still holds the lock file; put it back if it was removed.

        Raises:
            RunLocked: it was removed, and another process has locked the folder since.
            DiskError: it cannot be put back.
        """
        if not self._directory.is_same_file(_NAME, self._file.fileno()):
            before, self._file = self._file, self._take()
            before.close()

    def release(self) -> None:
        """Release the lock."""
        with contextlib.suppress(OSError):
            self._file.truncate(0)
        _close_quietly(self._file)
        self._stack.close()

    def _take(self) -> BinaryIO:
        """Open and lock the lock file, and write the holder's name to it."""
        path = self._folder / _NAME
        with disk_errors(path.path):
            file = path.open("r+b")
        with contextlib.ExitStack() as stack:
            stack.callback(_close_quietly, file)
            with disk_errors(path.path):
                file.seek(0, os.SEEK_END)  # Windows locks from here on, so the text before stays readable
                if not try_lock(file.fileno()):
                    raise self._locked()
                file.seek(0)  # overwritten, so that a reader never finds it empty
                file.write(this_process().encode())
                file.flush()
                file.truncate()
            stack.pop_all()
        return file

    def _locked(self) -> RunLocked:
        """Return the error that names the holder of the lock."""
        holder = ""
        for _ in range(_READS):
            if holder := last_holder(self._folder):
                break
            time.sleep(_PAUSE_S)
        by = holder or "another process"
        return RunLocked(f"{self._held} by {by}; wait for it, or stop it")


def this_process() -> str:
    """Return the content of the lock file while this process holds the lock."""
    return f"process {os.getpid()} on {socket.gethostname()} since {time.strftime(_CLOCK)}\n"


def lock_file() -> dict[str, bytes]:
    """Return the lock file, by name, for a folder that this process is about to create and lock."""
    return {_NAME: this_process().encode()}


def last_holder(folder: Path | SafePath) -> str:
    """Return the process that holds a folder's lock, or was killed holding it; "" if there is none.

    Raises:
        LinkRefused: the lock file is a link.
    """
    path = (SafePath(folder) if isinstance(folder, Path) else folder) / _NAME
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).partition(b"\n")[0].decode("utf-8", "replace").strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Holder:
    """The process that a lock file names.

    Attributes:
        pid: its number.
        host: its machine.
        since: when it took the lock, in seconds since the epoch, by the clock and time zone of its machine.
        alive: whether it runs; None: it is on another machine.
    """

    pid: int
    host: str
    since: float
    alive: bool | None

    @property
    def may_run(self) -> bool:
        """True unless it is known to have ended."""
        return self.alive is not False


def find_holder(folder: Path | SafePath) -> Holder | None:
    """Return the process that holds a folder's lock, or was killed holding it; None if there is none.

    The lock is not touched: a process that was killed leaves its line in the lock file, and one that ends removes it.

    Raises:
        LinkRefused: the lock file is a link.
    """
    found = _LINE.fullmatch(last_holder(folder))
    if found is None:
        return None
    pid, host = int(found[1]), found[2]
    try:
        since = time.mktime(time.strptime(found[3], _CLOCK))
    except (ValueError, OverflowError):
        return None
    return Holder(pid, host, since, _is_alive(pid, since) if host == socket.gethostname() else None)


def _is_alive(pid: int, since: float) -> bool:
    """Return whether a process of this machine runs, and is no later one of the same number, where that can be seen."""
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user
        pass
    with contextlib.suppress(OSError, ValueError, IndexError):  # elsewhere than on Linux
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        uptime_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        started = time.time() - uptime_s + int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return fields[0] not in "ZX" and started <= since + _SLACK_S
    return True


def _is_alive_on_windows(pid: int) -> bool:
    import ctypes

    kernel32 = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    handle = kernel32.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel32.CloseHandle(handle)
    return code.value == 259  # STILL_ACTIVE


def _try_folder(descriptor: int) -> bool:
    """Lock a folder; return False if another process holds it, True also if folders cannot be locked."""
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
