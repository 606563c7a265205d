"""Building the app, loading plugins before it is parsed, and the one place that catches errors."""

from __future__ import annotations

import copy
import errno
import functools
import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import typer
from typer.core import TyperGroup

from seqgen.cli import checkpoint, evaluate, export, look, plugins, runs, sample, score, top, train
from seqgen.cli.common import ReaderGone, everywhere, program, session, warn
from seqgen.cli.mounting import MARKUP_OF_HELP, as_group, plugin_commands
from seqgen.cli.usage import hint_on_words, usage_line
from seqgen.errors import (
    FAULT_NOTE,
    SAVED_NOTE,
    DiskError,
    Interrupted,
    PluginError,
    SeqgenError,
    UsageError,
    is_out_of_memory,
    one_line,
)
from seqgen.plugins import Plugins, activate_plugins, entry_point_candidates, file_candidate
from seqgen.signals import (
    Signalled,
    clear_signal,
    raise_signalled,
    reraise_signal,
    signal_handlers,
    signals_of_destructors,
)
from seqgen.streams import forget_unwritten


def main(arguments: Sequence[str]) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name.

    Returns:
        The exit code.
    """
    session.stdout = sys.stdout
    session.debug = "--debug" in arguments
    session.quiet = session.verbose = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character shows its code
    try:
        with signal_handlers(raise_signalled), signals_of_destructors():
            _load_plugins(arguments)
            with activate_plugins(session.plugins):
                code = build_commands().main(list(arguments) or ["--help"], "seqgen", standalone_mode=False)
            sys.stdout.flush()
            reraise_signal()
            return int(code or 0)
    except (ReaderGone, BrokenPipeError):
        forget_unwritten(sys.stdout)
        return 0
    except (Exception, SystemExit, Signalled) as error:
        if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):  # rich, in a help page
            forget_unwritten(sys.stdout)
            return 0
        if isinstance(error, SystemExit) and not error.code and _completes(arguments):
            return 0  # so the parser ends after what a shell asked it
        if session.debug:
            traceback.print_exc()
        line, code = _verdict(error, arguments)
        forget_unwritten(sys.stdout)
        if line:
            warn(line)
        return code
    finally:
        session.command = ""
        clear_signal()


_UNWRITTEN = (errno.EBADF, errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""Error numbers of a stdout that is closed or full, also where it is a plugin's command that writes there."""


def _completes(arguments: Sequence[str]) -> bool:
    """Return whether a shell asks for completions, or the user for its script."""
    return "_SEQGEN_COMPLETE" in os.environ or not {"--show-completion", "--install-completion"}.isdisjoint(arguments)


def _verdict(error: BaseException, arguments: Sequence[str] = ()) -> tuple[str, int]:
    """Return the message and the exit code of an error that reached the command line with these arguments."""
    if not isinstance(error, Interrupted):
        try:
            reraise_signal()  # the parser, and others, make of a signal an error of their own
        except Signalled as signalled:
            return str(signalled), 128 + signalled.number
    if isinstance(error, SeqgenError):
        taken = [word for word in arguments if isinstance(error, UsageError) and repr(word) in str(error)]  # as a name
        hint = hint_on_words(taken, arguments)
        return "; ".join(filter(None, (str(error), hint))), error.exit_code
    if hasattr(error, "format_message"):  # a usage error of the parser, whose classes are private to typer
        return usage_line(error, arguments), UsageError.exit_code
    text = f"{type(error).__name__}: {one_line(error)}"
    if is_out_of_memory(error):
        return f"memory ran out ({text}): close other programs, or raise the limit (ulimit -v)", UsageError.exit_code
    is_unwritten = isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITTEN
    if not is_unwritten and (failure := session.describe_failure(error)):
        return failure, PluginError.exit_code
    notes = getattr(error, "__notes__", ())
    saved = "".join(f"; {note.removeprefix(SAVED_NOTE)}" for note in notes if note.startswith(SAVED_NOTE))
    for note in notes:
        if note.startswith(FAULT_NOTE):
            line = f"{note.removeprefix(FAULT_NOTE)}: {text} (seqgen plugins check finds out more)"
            return line + saved, PluginError.exit_code
    if isinstance(error, OSError):
        closed = error.errno == errno.EBADF
        reason = "stdout is closed; redirect it to a file, or to /dev/null" if closed else error.strerror
        return f"cannot write the result: {reason or one_line(error)}", DiskError.exit_code
    return f"unexpected {text} (--debug shows where; please report it){saved}", SeqgenError.exit_code


def _load_plugins(arguments: Sequence[str]) -> None:
    """Load plugins before the arguments are parsed, since they may bring commands."""
    files, command = list[Path](), ""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = list(arguments[:end])
    for before, argument in zip(["", *options], options, strict=False):
        if before == "--plugin":
            files.append(Path(argument))
        elif argument.startswith("--plugin="):
            files.append(Path(argument.removeprefix("--plugin=")))
        elif not argument.startswith("-"):
            command = command or argument
    command = command or next(iter(arguments[end + 1 :]), "")  # seqgen -- sample
    completes = "_SEQGEN_COMPLETE" in os.environ  # a shell that completes asks for any command
    session.command = "" if completes else command or "-"
    session.plugins = Plugins(warn)
    if "--no-plugins" not in options:
        session.plugins.load(entry_point_candidates(session.plugins.report_problem))
    # Somebody who gives a file wants what is in it; to look at plugins is to look at broken ones too.
    session.plugins.load([file_candidate(path) for path in files], needed=command != "plugins")


def build_commands() -> TyperGroup:
    """Return the program with core's commands and those of the session's plugins."""
    program_group = copy.copy(_core_commands(session.command))
    program_group.commands = {**program_group.commands, **plugin_commands(program_group.commands)}
    return program_group


@functools.lru_cache(maxsize=16)
def _core_commands(parsed: str) -> TyperGroup:
    """Return the program with core's commands only, where ``parsed``, the session's command, has all its flags."""
    app = typer.Typer(
        name="seqgen",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=MARKUP_OF_HELP,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(everywhere(program))
    for module in (train, sample, top, score, evaluate, export, look, runs, plugins, checkpoint):
        module.add_commands(app)
    return as_group(app)
