"""SIGINT, SIGTERM and SIGHUP: who answers them, and the flag that lets a training save before it stops."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], None]
_NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signalled(KeyboardInterrupt):  # which no library takes for an error of its own that it may pass over
    """A signal came where nothing has to be saved.

    Args:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


def answer(handler: Handler) -> None:
    """From now on ``handler`` answers these signals; one that is ignored (nohup) stays so.

    Outside the main thread, where Python has no signals, nothing changes.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _NUMBERS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)


@contextlib.contextmanager
def answering(handler: Handler) -> Iterator[None]:
    """Within it ``handler`` answers, as by ``answer``; afterwards who did before."""
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    try:
        answer(handler)
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, old in before.items():
                signal.signal(number, old)


def end_at_once(number: int, frame: FrameType | None) -> None:
    """The answer where there is nothing to clean up: while the program starts, and once it is done."""
    os.write(2, f"seqgen: ended by {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


class Ending:
    """The answer of a command: the first signal is raised as ``Signalled``, the second ends the process at once."""

    def __init__(self) -> None:
        self._came = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self._came:
            os._exit(128 + number)
        self._came = True
        raise Signalled(number)


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
