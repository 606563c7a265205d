"""The loop of ``seqgen watch``: a picture that is redrawn on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from seqgen_watch.view import View, frame, lines

EVERY_S = 1.0
"""Seconds between looks at the stamps of the files."""
_REDRAW_S = 5.0  # after which the estimates are redrawn, though no file has changed
_QUIT = ("q", "Q", "\x03", "\x04")
Look = Callable[[], list[View]]


def watch_on_terminal(console: Console, look: Look) -> list[View]:
    """Redraw the frame until nothing runs any more, or the user presses q or Ctrl-C; return what was seen last."""
    views, drawn, drawn_at = look(), None, 0.0
    with (
        contextlib.suppress(KeyboardInterrupt),
        keys() as pressed,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            facts = (_facts(views), console.size)
            if facts != drawn or time.monotonic() - drawn_at >= _REDRAW_S:
                drawn, drawn_at = facts, time.monotonic()
                hint = Text("q quits; the training goes on" if any(view.runs for view in views) else "", style="dim")
                live.update(Group(frame(views, console.height - 1), hint), refresh=True)
            if not any(view.runs for view in views) or pressed(EVERY_S) in _QUIT:
                break
            views = look()
    return views


def watch_by_lines(look: Look, write: Callable[[str], None]) -> None:
    """Write a line for each change until nothing runs any more."""
    known: set[str] = set()
    while True:
        views = look()
        found = [line for view in views for line in lines(view)]
        for line in found:
            if line not in known:
                write(line)
        known = set(found)
        if not any(view.runs for view in views):
            return
        time.sleep(EVERY_S)


def _facts(views: Sequence[View]) -> list[list[str]]:
    """Return what has to be redrawn at once when it changes."""
    return [lines(view) for view in views]


@contextlib.contextmanager
def keys() -> Iterator[Callable[[float], str]]:
    """Yield a function that waits some seconds for a key and returns it; "" where none was pressed."""
    if not sys.stdin.isatty():
        yield _no_key
    elif sys.platform == "win32":
        yield _windows_key
    else:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor)
            yield _posix_key
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _no_key(seconds: float) -> str:
    time.sleep(seconds)
    return ""


def _posix_key(seconds: float) -> str:
    import os
    import select

    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return os.read(sys.stdin.fileno(), 1).decode("latin-1") or "\x04" if ready else ""


def _windows_key(seconds: float) -> str:
    import msvcrt

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]
            return str(msvcrt.getwch())  # type: ignore[attr-defined,unused-ignore]
        time.sleep(0.05)
    return ""
