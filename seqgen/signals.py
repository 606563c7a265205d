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

    def __str__(self) -> str:
        """Return the line for the user: the signal, and what ``annotate_interrupt`` added."""
        return "; ".join([*map(str, self.args), *getattr(self, "__notes__", ())])


def install_handler(handler: Handler) -> None:
    """From now on ``handler`` answers these signals; one that is ignored (nohup) stays so.

    Outside the main thread, where Python has no signals, nothing changes.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _NUMBERS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)


@contextlib.contextmanager
def signal_handlers(handler: Handler) -> Iterator[None]:
    """Within it ``handler`` answers, as by ``install_handler``; afterwards who did before."""
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    try:
        install_handler(handler)
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, old in before.items():
                signal.signal(number, old)


def exit_now(number: int, frame: FrameType | None) -> None:
    """The answer where there is nothing to clean up: while the program starts, and once it is done."""
    with contextlib.suppress(OSError):  # nobody may be there to read it
        os.write(2, f"seqgen: ended by {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


_raised: Signalled | None = None
"""What the first signal was raised as, until ``clear_signal``."""


def raise_signalled(number: int, frame: FrameType | None) -> None:
    """The answer of a command: the first signal is raised as ``Signalled``, the second ends the process at once."""
    global _raised
    if _raised:
        os._exit(128 + number)
    _raised = Signalled(number)
    raise _raised


def reraise_signal() -> None:
    """For who passes errors over: a signal may have become one (pydantic raises its own for whatever it is hit by).

    Raises:
        Signalled: it was raised before, and somebody took it for an error.
    """
    if _raised:
        raise _raised


def clear_signal() -> None:
    """The command has ended: the signal that ended it says nothing to the next one in this process."""
    global _raised
    _raised = None


@contextlib.contextmanager
def annotate_interrupt(what: str) -> Iterator[None]:
    """Add a note to an interrupt or a signal that comes within it: "plugin mycell (mycell.py 1f2e) was being imported".

    A signal that the code within has turned into an error of its own is raised, with the note.
    """
    try:
        try:
            yield
        except Exception:
            reraise_signal()
            raise
    except KeyboardInterrupt as error:
        if not hasattr(error, "__notes__"):  # the innermost says most
            error.add_note(what)
        raise


class StopFlag:
    """Set by a signal, looked at by the loop between steps.

    Args:
        raises: whether a second SIGINT raises KeyboardInterrupt, as in a notebook, whose process goes on; else it ends.

    Attributes:
        signal_number: the signal that came, or 0.
    """

    def __init__(self, raises: bool = False) -> None:
        self.signal_number = _raised.number if _raised else 0  # one that was taken for an error just before
        self._raises = raises

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: remembers the first signal; at the second the process ends, or what it does."""
        if self.signal_number and self._raises and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal_number:
            os._exit(128 + number)
        self.signal_number = number


@contextlib.contextmanager
def graceful_stop() -> Iterator[StopFlag]:
    """Within it the first signal only sets the flag, and the second ends the process at once, in Python the call."""
    flag = StopFlag(raises=signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    with signal_handlers(flag.handle):
        yield flag
