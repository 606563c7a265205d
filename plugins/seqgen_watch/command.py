"""The command ``seqgen watch``."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqgen import commands

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH, _TABLE_WIDTH = 80, 100_000  # of a frame where there is no terminal; a row of a table is then a line


def watch(
    *,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Folders of runs, benches or studies, or names under runs/.  [default: what is being trained]",
            autocompletion=commands.complete_runs,
            show_default=False,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Show them as they are now, and end.")] = False,
    as_json: commands.Json = False,
) -> None:
    """Watch runs while they are trained, by any process: curves, time left, samples; files are only read."""
    from seqgen_watch.watched import Named, UnderRuns

    watched = Named(runs) if runs else UnderRuns()
    if as_json:
        commands.show_json([dataclasses.asdict(view) for view in watched.look()])
    elif once:
        _show(watched.look())
    else:
        with _quiet_interrupt():
            _follow(watched)


@contextlib.contextmanager
def _quiet_interrupt() -> Iterator[None]:
    """Let Ctrl-C end the block quietly, as q does; elsewhere it ends a command with an error."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt as error:
        if type(error) is not KeyboardInterrupt:  # of another signal
            raise
    finally:
        signal.signal(signal.SIGINT, before)


def _follow(watched: Any) -> None:
    from seqgen_watch.live import watch_by_lines, watch_on_terminal

    console = _console()
    if console.is_terminal and not console.is_dumb_terminal:
        _show(watch_on_terminal(console, watched.look))
    else:
        watch_by_lines(watched.look, _write_line)


def _write_line(line: str) -> None:
    commands.write(line + "\n")
    sys.stdout.flush()


def _show(views: Any) -> None:
    """Write a frame to stdout."""
    from seqgen_watch.run import RunView
    from seqgen_watch.view import frame

    views = list(views)
    _console(has_curves=len(views) == 1 and isinstance(views[0], RunView)).print(frame(views), crop=False)


def _console(*, has_curves: bool = False) -> Console:
    """Return the console of stdout; a pipe has no colours, 80 columns for curves, and as many as tables need."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH if has_curves else _TABLE_WIDTH
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)
