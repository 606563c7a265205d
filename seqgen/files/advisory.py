"""Advisory locks on open files and folders, which vanish with the process that holds them."""

from __future__ import annotations

import errno
import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


def try_lock(descriptor: int, *, wait: bool = False) -> bool:
    """Take the exclusive lock on an open file or folder, until its descriptor is closed.

    Args:
        descriptor: the open file; on POSIX a folder too.
        wait: whether to wait while another process holds it; on Windows for ten seconds.

    Returns:
        False if another process holds it.

    Raises:
        OSError: this file system has no such lock.
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
