"""Building the app, loading plugins before it is parsed, and the one place that catches errors."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from seqgen import __version__
from seqgen.cli import checkpoint, evaluate, export, look, plugins, runs, sample, score, top, train
from seqgen.cli.common import ReaderGone, everywhere, session, warn
from seqgen.cli.mounting import mount_plugin_commands
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
from seqgen.plugins import Plugins, activate_plugins, entry_point_candidates, file_candidate, missing_plugin
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
                code = get_command(build_app()).main(list(arguments) or ["--help"], "seqgen", standalone_mode=False)
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
        line, code = _verdict(error)
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


def _verdict(error: BaseException) -> tuple[str, int]:
    """Return the message and the exit code of an error that reached the command line."""
    if not isinstance(error, Interrupted):
        try:
            reraise_signal()  # the parser, and others, make of a signal an error of their own
        except Signalled as signalled:
            return str(signalled), 128 + signalled.number
    if isinstance(error, SeqgenError):
        return str(error), error.exit_code
    if hasattr(error, "format_message"):  # a usage error of the parser, whose classes are private to typer
        return usage_line(error), UsageError.exit_code
    text = f"{type(error).__name__}: {one_line(error)}"
    if is_out_of_memory(error):
        return f"memory ran out ({text}): close other programs, or raise the limit (ulimit -v)", UsageError.exit_code
    is_unwritten = isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITTEN
    if not is_unwritten and (failure := session.describe_failure(error)):
        return failure, PluginError.exit_code
    notes = getattr(error, "__notes__", ())
    saved = "".join(note.removeprefix(SAVED_NOTE) for note in notes if note.startswith(SAVED_NOTE))
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


def build_app() -> typer.Typer:
    """Build the app with core's commands and those of the loaded plugins."""
    app = typer.Typer(
        name="seqgen",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",  # rich's own would take [/x] in a help text for markup
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(everywhere(_options))
    for module in (train, sample, top, score, evaluate, export, look, runs, plugins, checkpoint):
        module.add_commands(app)
    mount_plugin_commands(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"seqgen {__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Learn from any list of sequences and generate more of them."""


# -- usage errors of the option parser, in the form of all messages

_FURTHER = ("--steps", "--epochs", "--time", "--lr", "--corpus")  # what somebody gives who wants more than a resume
_TOO_MANY = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)")
_NO_COMMAND = re.compile(r"No such command '(\S+)'")
_OTHER_WORDS = {
    **dict.fromkeys(("--start", "--starts", "--begin", "--begins", "--starts-with"), "--prefix"),
    **dict.fromkeys(("--end", "--ends-with", "--suffix"), "--ends"),
    **dict.fromkeys(("--count", "--number", "--num", "--samples"), "-n"),
    **dict.fromkeys(("--output", "--file", "--save"), "--out"),
    **dict.fromkeys(("--data", "--dataset", "--input"), "--corpus"),
    **dict.fromkeys(("--temp", "--creativity"), "--temperature"),
}
"""Flags by the words that people try in their place."""
_HELPFUL = ("Did you mean", "Possible options", " is not one of ", " is not in the range ", " is not a valid ")


def usage_line(error: Any) -> str:
    """Return a usage error of the parser in one line; "" if it has shown the help already.

    Args:
        error: of a class that is private to typer; what it has beside ``format_message`` is looked for, not relied on.
    """
    from pydantic import ValidationError

    from seqgen.config import refusal

    cause, parameter, context = error.__cause__, getattr(error, "param", None), getattr(error, "ctx", None)
    if isinstance(cause, ValidationError) and parameter is not None:
        return f"{', '.join(parameter.opts) or parameter.name}: {refusal(cause)}"
    line, option = " ".join(str(error.format_message()).split()).removesuffix("."), getattr(error, "option_name", "")
    if line.startswith("Missing argument ") and parameter is not None:
        line = f"missing argument {parameter.metavar or parameter.name.upper()}"
    elif extra := _TOO_MANY.match(line):
        line = f"more arguments than the command takes: {extra[1]}"
        if context is not None and context.info_name == "train":
            return f"{line}; {_hint_on_arguments(extra[1])}"
    elif (unknown := _NO_COMMAND.match(line)) and (hint := _hint_on_command(unknown[1])):
        return f"no such command {unknown[1]!r}: {hint}"
    elif option and context is not None and (hint := _hint_on_option(option, context)):
        return f"no such option: {option}; {hint}"
    if not line or any(words in line for words in _HELPFUL):
        return line
    return f"{line}; {f'{context.command_path} ' if context else ''}--help lists what it takes"


def _hint_on_arguments(extra: str) -> str:
    """Return what to write in place of arguments of ``train``, which has none."""
    if re.fullmatch("h|hours?|m|min|minutes?|s|sec|seconds?", extra):
        return "write a duration without a blank, as --time 10s"
    quoted = "quote a pattern, which the shell expands to several: --corpus '*.txt'"
    return f"write --corpus NAME or --corpus FILE; {quoted}"


def _hint_on_command(name: str) -> str:
    """Return where an unknown command comes from, or ""."""
    if session.plugins.registry.has("exporter", name):
        return f"it is an exporter: seqgen export {name} RUN OUT"
    return missing_plugin("commands", name)


def _hint_on_option(option: str, context: Any) -> str:
    """Return what an unknown option stands for in the command of a context, or ""."""
    name, meant = option.lstrip("-").replace("-", "_"), _OTHER_WORDS.get(option)
    if context.info_name == "resume" and option in _FURTHER:
        return "a run is resumed to its own end; to train on: seqgen train --from RUN --steps N"
    if context.info_name == "train" and name in _settings():
        return f"it is one of those that -o sets: -o {name}=VALUE"
    return f"did you mean {meant}?" if any(meant in parameter.opts for parameter in context.command.params) else ""


def _settings() -> list[str]:
    """Return the settings of training and of the default model."""
    from seqgen.config import TrainSettings

    fields = [*TrainSettings.model_fields]
    with contextlib.suppress(SeqgenError, ImportError):
        fields += session.plugins.registry.get("model", "seqgen:recurrent").option_names()
    return fields
