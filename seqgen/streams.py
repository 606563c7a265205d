"""Standard streams that are always open, and a stderr whose write errors are ignored.

A program may be started with a stream closed (``2>&-``), and stderr may stop accepting writes: a full disk under a log,
a closed terminal. Messages are then lost, but the work continues.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def secure_streams() -> None:
    """Open the standard streams that are closed, and make stderr drop what cannot be written.

    Otherwise the next file opened, such as a checkpoint, would get the number of the closed stream, and a C library
    would write its messages to it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Results go to stdout: a read-only descriptor makes writing them an error.
            null = os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
    # Unbuffered: a buffer would write a line twice if a signal's exception was raised just after the first write.
    unbuffered: Any = _LossyStderr(sys.stderr)
    sys.stderr = io.TextIOWrapper(unbuffered, encoding, errors="backslashreplace", line_buffering=True)


def forget_unwritten(stream: TextIO) -> None:
    """Discard what a stream holds and cannot write, which Python would otherwise try again, and report, at exit."""
    try:
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


class _LossyStderr(io.RawIOBase):
    """A stderr that drops what cannot be written, and tries again on the next write.

    Args:
        stream: the original stderr; None if it was closed when the program started.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # keep a reference: its buffer would be closed with it
        buffer = getattr(stream, "buffer", None)
        self._raw: io.RawIOBase | None = getattr(buffer, "raw", buffer)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return self._raw is not None and self._raw.isatty()

    def write(self, data: ReadableBuffer, /) -> int:
        """Write as much as possible, and return the number of bytes of all data."""
        bytes_left = memoryview(data).cast("B")
        n_bytes = len(bytes_left)
        with contextlib.suppress(OSError):
            while bytes_left and self._raw is not None and (n_written := self._raw.write(bytes_left)):
                bytes_left = bytes_left[n_written:]
        return n_bytes
