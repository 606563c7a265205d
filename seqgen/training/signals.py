"""SIGINT, SIGTERM and SIGHUP while a run trains: the first asks it to save and stop, the second ends it at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType


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
    """Within it, signals only set the flag. Outside the main thread, where Python has no signals, nothing changes."""
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # nohup
                signal.signal(number, flag.handle)
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
