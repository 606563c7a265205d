"""Advisory locks on open files and folders, released when the process that holds them ends."""

from __future__ import annotations

import errno
import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


def try_lock(descriptor: int, *, wait: bool = False) -> bool:
    """Take the exclusive lock on an open file or folder, held until its descriptor is closed.

    Args:
        descriptor: the open file; on POSIX a folder too.
        wait: whether to wait while another process holds it; at most ten seconds on Windows.

    Returns:
        False if another process holds it.

    Raises:
        OSError: the file system does not support such locks.
    """
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    return True
