"""SIGINT, SIGTERM and SIGHUP: who answers them, and the flag that lets a training save before it stops."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], None]


@contextlib.contextmanager
def answering(handler: Handler) -> Iterator[None]:
    """Within it ``handler`` answers these signals; one that is ignored (nohup) stays so.

    Outside the main thread, where Python has no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    try:
        for number, old in before.items():
            if old is not signal.SIG_IGN:
                signal.signal(number, handler)
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class StopFlag:
    """Set by a signal, looked at by the loop between steps.

    Attributes:
        signal_number: the signal that came, or 0.
    """

    def __init__(self) -> None:
        self.signal_number = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: remembers the first signal; at the second the process ends."""
        if self.signal_number:
            os._exit(128 + number)
        self.signal_number = number


@contextlib.contextmanager
def graceful_stop() -> Iterator[StopFlag]:
    """Within it the first signal only sets the flag, and the second ends the process at once."""
    flag = StopFlag()
    with answering(flag.handle):
        yield flag
