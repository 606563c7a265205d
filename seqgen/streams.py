"""Standard streams that are always there, and a stderr that nobody has to read.

A program may be started with a stream closed (``2>&-``), and whoever reads stderr may go away: a full disk under a log,
a terminal that is closed. Messages are then lost. The work that they are about is not.
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
    """Open the standard streams that are closed, and have stderr drop what cannot be written.

    The number of a closed stream would be given to the next file that is opened, a checkpoint maybe, and messages of
    a C library would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # What is written to stdout is a result: a descriptor that cannot be written to refuses it.
            null = os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
    # Without a buffer: one would write a line twice if a signal's exception came up just after the first time.
    unbuffered: Any = _Unread(sys.stderr)
    sys.stderr = io.TextIOWrapper(unbuffered, encoding, errors="backslashreplace", line_buffering=True)


def forget_unwritten(stream: TextIO) -> None:
    """Send to nowhere what a stream still holds and cannot write, which Python would try again, and report, at exit."""
    try:
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


class _Unread(io.RawIOBase):
    """A stderr that drops what cannot be written, and tries again the next time.

    Args:
        stream: where messages go; None if it was closed when the program began.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # which would take its buffer with it
        buffer = getattr(stream, "buffer", None)
        self._raw: io.RawIOBase | None = getattr(buffer, "raw", buffer)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return self._raw is not None and self._raw.isatty()

    def write(self, data: ReadableBuffer, /) -> int:
        """Write what can be written; the number of bytes of all."""
        bytes_left = memoryview(data).cast("B")
        n_bytes = len(bytes_left)
        with contextlib.suppress(OSError):
            while bytes_left and self._raw is not None and (n_written := self._raw.write(bytes_left)):
                bytes_left = bytes_left[n_written:]
        return n_bytes
