"""Handling of SIGINT, SIGTERM and SIGHUP, and the flag that lets training save before it stops."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], None]
_AGAIN_AFTER_S = 0.01
_NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signalled(KeyboardInterrupt):  # not an Exception, so that libraries do not swallow it
    """A signal received where nothing has to be saved.

    Args:
        number: the signal number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number

    def __str__(self) -> str:
        """Return the line for the user: the signal, and the note of ``annotate_interrupt`` or ``describe_loss``."""
        return "; ".join([*map(str, self.args), *getattr(self, "__notes__", ())])


def install_handler(handler: Handler) -> None:
    """Install a handler for these signals, except for those that are ignored (nohup).

    Does nothing outside the main thread, where Python cannot handle signals.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _NUMBERS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)


def ignore_signals(*, ignore: bool = True) -> None:
    """Ignore these signals, in a process that another one ends; or let them end it, also within a library's call."""
    for number in _NUMBERS:
        signal.signal(number, signal.SIG_IGN if ignore else signal.SIG_DFL)


@contextlib.contextmanager
def signal_handlers(handler: Handler) -> Iterator[None]:
    """Install a handler inside the context, and restore the previous ones afterwards."""
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    try:
        install_handler(handler)
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, old in before.items():
                signal.signal(number, old)


def exit_now(number: int, frame: FrameType | None) -> None:
    """Exit at once: the handler while the program starts and after it is done, with nothing to clean up."""
    lost = next(filter(None, (lost() for lost in reversed(_losses))), "")
    _say("; ".join(filter(None, [f"ended by {signal.Signals(number).name}", lost])))
    os._exit(128 + number)


def _say(line: str) -> None:
    """Write a line to stderr, as a handler may; stderr may be closed."""
    with contextlib.suppress(OSError):
        os.write(2, f"seqgen: {line}\n".encode())


_raised: Signalled | None = None
"""The exception raised for the first signal, until ``clear_signal``."""
_was_raised = False
_losses: list[Callable[[], str]] = []  # of the contexts of ``describe_loss``, from the outermost


def raise_signalled(number: int, frame: FrameType | None) -> None:
    """Raise the first signal as ``Signalled`` and exit at once on the second: the handler of a command.

    While torch is being imported the first one exits too: an exception in the C++ that sets it up would abort the
    process, and what a process leaves behind that ends without cleaning up is removed by the next one.
    """
    global _raised, _was_raised
    if _raised:
        os._exit(128 + number)
    if getattr(getattr(sys.modules.get("torch"), "__spec__", None), "_initializing", False):
        exit_now(number, frame)
    _raised, _was_raised = Signalled(number), True
    raise _raised


def was_raised() -> bool:
    """Return whether ``raise_signalled`` has ended a command of this process."""
    return _was_raised


def reraise_signal() -> None:
    """Raise the signal again if one was raised before; for code that catches any exception.

    A library may have turned it into an exception of its own, as pydantic does.

    Raises:
        Signalled: it was raised before, and was converted to another exception.
    """
    if _raised:
        raise _raised


def clear_signal() -> None:
    """Forget the signal that ended a command, before the next one in the same process."""
    global _raised
    _raised = None


@contextlib.contextmanager
def signals_of_destructors() -> Iterator[None]:
    """Deliver a signal again, inside the context, that ``raise_signalled`` raised where Python ignores exceptions.

    That is in destructors and in callbacks of weak references, such as those of import locks.
    """
    before = sys.unraisablehook

    def deliver_again(ignored: sys.UnraisableHookArgs) -> None:
        if not isinstance(ignored.exc_value, Signalled):
            before(ignored)
            return
        clear_signal()
        # Not from here, where its exception would be ignored as well.
        again = threading.Timer(_AGAIN_AFTER_S, os.kill, (os.getpid(), ignored.exc_value.number))
        again.daemon = True
        again.start()

    sys.unraisablehook = deliver_again
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextlib.contextmanager
def annotate_interrupt(what: str) -> Iterator[None]:
    """Add a note to an interrupt inside the context: "plugin mycell (mycell.py 1f2e) was being imported".

    A signal that the code inside has turned into an exception of its own is raised again, with the note.
    """
    with _noted(lambda: what):
        yield


@contextlib.contextmanager
def describe_loss(lost: Callable[[], str]) -> Iterator[None]:
    """Add a note to an interrupt inside the context on what is not saved, also to one that ends the process at once.

    Args:
        lost: returns the note: "'big.csv' was not written"; "" where nothing is lost.
    """
    _losses.append(lost)
    try:
        with _noted(lost):
            yield
    finally:
        _losses.remove(lost)


@contextlib.contextmanager
def _noted(note: Callable[[], str]) -> Iterator[None]:
    try:
        try:
            yield
        except Exception:
            if note():
                reraise_signal()
            raise
    except KeyboardInterrupt as error:
        if not hasattr(error, "__notes__") and (text := note()):  # the innermost note is the most specific
            error.add_note(text)
        raise


class StopFlag:
    """A flag set by a signal and checked by the training loop between steps.

    Args:
        raises: whether a second SIGINT raises KeyboardInterrupt, as in a notebook; else it ends the process.

    Attributes:
        signal_number: the signal received, or 0.
    """

    def __init__(self, raises: bool = False) -> None:
        self.signal_number = _raised.number if _raised else 0  # one that was swallowed just before
        self._raises = raises

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember the first signal, and at a command line say so; on the second, end it or raise KeyboardInterrupt."""
        if self.signal_number and self._raises and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal_number:
            os._exit(128 + number)
        self.signal_number = number
        if not self._raises:
            _say("stopping and saving the run; a second signal ends it at once, unsaved")


@contextlib.contextmanager
def graceful_stop() -> Iterator[StopFlag]:
    """Make the first signal set a flag inside the context; the second ends the process or, in Python, the call."""
    flag = StopFlag(raises=signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    with signal_handlers(flag.handle):
        yield flag
