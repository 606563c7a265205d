"""Usage errors of the option parser in the form of all messages, with what to write instead."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqgen.cli.common import session
from seqgen.cli.export import reordered
from seqgen.errors import SeqgenError, close_names
from seqgen.plugins import missing_plugin, option_names

_FURTHER = ("--steps", "--epochs", "--time", "--lr")  # what somebody gives who wants more than a resume
_TOO_MANY = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)")
_NO_COMMAND = re.compile(r"No such command '(\S+)'")
_OWN_STYLE = (
    (re.compile(r"^Option '(\S+)' requires an argument"), r"\1 needs a value"),
    (re.compile(r"^Option '(\S+)' does not take a value"), r"\1 takes no value"),
    (re.compile(r"\. Did you mean"), "; did you mean"),
)
_SETTING = re.compile(r"\w+(\.\w+)*")  # a name that -o takes
_DASH = "\u2010-\u2015\u2212"  # those that are no hyphen
_OTHER_DASHES = re.compile(rf"(?:[{_DASH}][-{_DASH}]?|-[{_DASH}])([A-Za-z][\w-]*)(?:=.*)?")
_HELPFUL = ("did you mean", " is not one of ", " is not in the range ", " is not a valid ")
_LEAST_ALIKE = 0.7  # the similarity from which a flag is suggested for another
_LEAST_BEGINNING = 3  # characters of a flag that begins as another does
_PATTERN = "; or quote a pattern, which the shell expands to several: --corpus '*.txt'"
_TEXTS = ("time_s", "prefix", "contains", "avoid", "ends", "given", "template", "text_field", "label_field", "regex")
"""Options whose values may have blanks."""
_WRITTEN = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".smi", ".abc", ".fasta")  # files that samples are written to
_MAX_REPEATED = 4  # values that are written out, each with its flag
_BY_FOLDER = "a run is a folder: delete or rename the folder"
_OTHER_COMMANDS: Mapping[str, str] = {
    "version": "seqgen --version prints it",
    **dict.fromkeys(("generate", "predict"), "rows are sampled by: seqgen sample RUN"),
    **dict.fromkeys(("fit", "learn"), "a run is trained by: seqgen train --corpus FILE"),
    "continue": "a run is continued by: seqgen resume RUN",
    **dict.fromkeys(("delete", "remove", "rm", "rename", "mv"), _BY_FOLDER),
}
"""Hints on words that people try as commands."""


def usage_line(error: Any, arguments: Sequence[str]) -> str:
    """Return a usage error of the parser in one line; "" if it has shown the help already.

    Args:
        error: of a class that is private to typer; what it has beside ``format_message`` is looked for, not relied on.
        arguments: those of the command line.
    """
    from pydantic import ValidationError

    from seqgen.config import refusal

    cause, parameter, context = error.__cause__, getattr(error, "param", None), getattr(error, "ctx", None)
    hint = hint_on_dashes(arguments, context)
    flags = "" if parameter is None else ", ".join(parameter.opts) or parameter.name
    if isinstance(cause, ValidationError) and flags:
        refused = f"{flags}: {refusal(cause)}"
        return f"{refused}; {hint}" if hint else refused
    line, option = " ".join(str(error.format_message()).split()).removesuffix("."), getattr(error, "option_name", "")
    if line.startswith("Missing argument ") and parameter is not None:
        if reordered := _reordered_export(context):
            return reordered
        line = f"missing argument {parameter.metavar or parameter.name.upper()}"
    elif extra := _TOO_MANY.match(line):
        line = f"more arguments than the command takes: {extra[1]}"
        hint = hint or ("" if context is None else _hint_on_arguments(extra[1], arguments, context))
    elif unknown := _NO_COMMAND.match(line):
        if command_hint := _hint_on_command(unknown[1], arguments, context):
            return f"no such command {unknown[1]!r}: {command_hint}"
    elif option and line.startswith("No such option") and context is not None:
        option = _as_typed(option, arguments)
        line = f"no such option: {option}"
        if option_hint := hint or _hint_on_option(option, arguments, context):
            return f"{line}; {option_hint}"
    line = _in_own_style(line, flags)
    if hint:
        return f"{line}; {hint}"
    if not line or any(words in line for words in _HELPFUL):
        return line
    return f"{line}; {f'{context.command_path} ' if context else ''}--help lists what it takes"


def _in_own_style(line: str, flags: str) -> str:
    """Return a sentence of the parser as other messages are written: flags first, where they are known."""
    if flags:
        line = re.sub(r"^Missing option .*", f"missing option {flags}", line)
        line = re.sub(r"^Invalid value for .*?: ", f"{flags}: ", line)
    for pattern, own in _OWN_STYLE:
        line = pattern.sub(own, line)
    return line[:1].lower() + line[1:]


def hint_on_words(words: Sequence[str], arguments: Sequence[str]) -> str:
    """Return what is to be written in place of words that an error names, or "".

    Args:
        words: those of the command line that a message names.
        arguments: the command line.
    """
    before = dict(zip(arguments[1:], arguments, strict=False))
    for word in words:
        if before.get(word) in ("-o", "--option") and "=" not in word and Path(word).suffix in _WRITTEN:
            return f"to write a file: --out {shlex.quote(word)}"
        text = before.get(word, "")
        flag = before.get(text, "")
        if flag.removeprefix("--").replace("-", "_") in _TEXTS and not text.startswith("-"):
            return f"a text with blanks stands in quotes: {flag} {shlex.quote(f'{text} {word}')}"
    return hint_on_dashes(words)


def hint_on_dashes(arguments: Sequence[str], context: Any = None) -> str:
    """Return how a flag is written that begins with another dash than a hyphen, or ""; in a context, one of it."""
    flags = [] if context is None else [flag for parameter in context.command.params for flag in parameter.opts]
    for argument in arguments:
        if (found := _OTHER_DASHES.fullmatch(argument)) and (context is None or _flag(found[1]) in flags):
            return f"{argument!r} begins with another dash than a hyphen: write {_flag(found[1])}"
        if argument[:1] == "-" and len(argument) > 2 and f"-{argument.partition('=')[0]}" in flags:
            return f"a long flag begins with two dashes: write -{argument.partition('=')[0]}"
    return ""


def _as_typed(option: str, arguments: Sequence[str]) -> str:
    """Return the argument with one dash, such as ``-prefix``, whose first letter the parser took for an option."""
    if option.startswith("--"):
        return option
    words = [word.partition("=")[0] for word in arguments]
    return next((word for word in words if word.startswith(option) and len(word) > len(option)), option)


def _flag(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"


def _reordered_export(context: Any) -> str:
    """Return the message on arguments of ``export`` that lack the run or begin with it, or ""."""
    given = getattr(context, "params", {})
    if getattr(context, "info_name", "") != "export" or not given.get("name"):
        return ""
    return reordered([str(given[name]) for name in ("name", "run", "out") if given.get(name)])


# -- more arguments than a command takes


def _hint_on_arguments(extra: str, arguments: Sequence[str], context: Any) -> str:
    """Return what to write in place of arguments that a command does not take, or ""."""
    parameters = context.command.params
    options = {flag: one for one in parameters if one.param_type_name == "option" for flag in one.opts}
    given = _words(arguments)
    for at, flag in enumerate(given[:-1]):
        option, values = options.get(flag), [*_values(given[at + 1 :])]
        if option is None or getattr(option, "is_flag", False):
            continue
        if given[at + 1] in options and given[at + 1].startswith("--"):
            return f"{flag} needs a value before {given[at + 1]}"
        if len(values) > 1 and extra in " ".join(values) and (hint := _hint_on_values(flag, option, values)):
            return hint
    if any(one.param_type_name == "argument" for one in parameters) or "--corpus" not in options or "--corpus" in given:
        return ""
    words = extra.split(" ")
    words = words if all(word in arguments for word in words) else [extra]
    return f"write {_repeated('--corpus', words)}" + (_PATTERN if len(words) > 1 else "")


def _words(arguments: Sequence[str]) -> list[str]:
    """Return arguments, those like ``--out=x`` as two."""
    return [*itertools.chain(*(word.split("=", 1) if word[:2] == "--" else [word] for word in arguments))]


def _values(words: Sequence[str]) -> Iterator[str]:
    """Return the words before the next option."""
    return itertools.takewhile(lambda word: not word.startswith("-"), words)


def _values_of(option: str, arguments: Sequence[str]) -> list[str]:
    """Return the words after an option, up to the next one; none where it is not written alone."""
    words = _words(arguments)
    return [*_values(words[words.index(option) + 1 :])] if option in words else []


def _hint_on_values(flag: str, option: Any, values: list[str]) -> str:
    """Return how several words after a flag are written, by what its option takes; "" if that is unknown."""
    values = values if values[0] else values[1:]  # a blank after "=", as in "--corpus= a.txt"
    form, apart = option.metavar or "", [value for value in values if value != "="]
    whole = shlex.quote(" ".join(values))
    if len(values) == 1:
        return f"{flag} takes {form}" if "=" in form and "=" not in whole else f"write {flag} {whole}"
    if flag in ("-o", "--option") and "=" not in values[0] and not _SETTING.fullmatch(values[0]):
        return f"{flag} takes NAME=VALUE; --out says where results go"
    if len(apart) < len(values) or ("=" in form and "=" not in values[0]):
        return f"write {flag} {'='.join(apart[:2])}"
    if option.name in _TEXTS or os.path.isfile(" ".join(values)):  # noqa: PTH113 -- takes any text
        return f"a text with blanks stands in quotes: {flag} {whole}"
    for mark in (",", "/"):
        if mark in form and mark not in "".join(values):
            return f"write {flag} {shlex.quote(mark.join(values))}"
    if getattr(option, "multiple", False):
        return f"repeat it: {_repeated(flag, values)}" + (_PATTERN if option.name == "corpus" else "")
    return ""


def _repeated(flag: str, values: Sequence[str]) -> str:
    """Return a flag with each of some values, the first ones if there are many."""
    shown = " ".join(f"{flag} {shlex.quote(value)}" for value in values[:_MAX_REPEATED])
    return shown + (" ..." if len(values) > _MAX_REPEATED else "")


# -- unknown commands and options


def _hint_on_command(name: str, arguments: Sequence[str], context: Any) -> str:
    """Return where an unknown command comes from, or what does the same, or ""."""
    if session.plugins.registry.has("exporter", name):
        return f"it is an exporter: seqgen export {name} RUN OUT"
    if getattr(context, "parent", None) is not None:  # of a group, such as plugins
        return ""
    if name == "help":
        at = _command_in(arguments, context)
        return "seqgen --help lists the commands" if at is None else f"seqgen {arguments[at]} --help"
    return _OTHER_COMMANDS.get(name, "") or missing_plugin("commands", name)


def _command_in(arguments: Sequence[str], context: Any) -> int | None:
    """Return which argument is the command, the first that is no value of an option if there is one; None: none is."""
    commands = getattr(getattr(context, "command", None), "commands", {})
    found = [at for at, word in enumerate(arguments) if word in commands]
    alone = (at for at in found if at == 0 or not arguments[at - 1].startswith("-"))
    return next(itertools.chain(alone, found), None)


def _hint_on_option(option: str, arguments: Sequence[str], context: Any) -> str:
    """Return what an unknown option stands for in the command of a context, or ""."""
    from seqgen.config import OTHER_WORDS

    name, parameters = option.lstrip("-").replace("-", "_"), context.command.params
    flags = [flag.removeprefix("--") for parameter in parameters for flag in parameter.opts if flag[:2] == "--"]
    near = _nearest(option.lstrip("-"), [*flags, "help"], "--{}")
    if f"-{name}" in (flag for parameter in parameters for flag in parameter.opts):  # --n for -n
        near = f"did you mean -{name}?"
    if context.parent is None:
        return near or _hint_on_order(option, arguments, context)
    if context.info_name == "resume" and option in _FURTHER:
        return "a run is resumed to its own end; to train on: seqgen train --from RUN --steps N"
    if context.info_name in ("resume", "refit") and option == "--corpus":
        moved = "a run reads its corpus where it was: put a file that was moved, or a link to it, back there"
        return f"{moved}; to train on another: seqgen train --from RUN --corpus FILE"
    settings = _settings() if context.info_name == "train" else []
    if name in settings:
        return f"it is one of those that -o sets: -o {name}=VALUE"
    for parameter in parameters:
        if parameter.name == name and parameter.param_type_name == "argument":
            return f"it needs no flag: {context.command_path} {parameter.metavar or name.upper()}"
    if name.startswith("no_"):
        there = _nearest(option.lstrip("-"), [flag for flag in flags if flag.startswith("no-")], "--{}")
        if off := there or _off(_flag(option[5:]), parameters):
            return off
    meant = OTHER_WORDS.get(name)
    for parameter in parameters:
        if parameter.name == meant:
            same = [flag for flag in parameter.opts if flag == _flag(parameter.name)]
            return f"did you mean {(same or parameter.opts)[0]}?"
    if "given" in (parameter.name for parameter in parameters) and (given := _condition(option, arguments)):
        return given
    if not near and not _values_of(option, arguments) and name in getattr(context.parent.command, "commands", {}):
        return f"it is a command: seqgen {name}"
    return near or _nearest(name, settings, "-o {}=VALUE")


def _nearest(name: str, known: Sequence[str], written: str) -> str:
    """Return the clause that suggests the names that are most like one, or that begin with it; "" if there are none.

    Args:
        name: the unknown name.
        known: the names that there are.
        written: how a name is written, with {} for it: "--{}".
    """
    near = close_names(name, known, _LEAST_ALIKE)
    if len(name) >= _LEAST_BEGINNING and not near:
        near = [one for one in known if one.startswith(name)]
    return f"did you mean {' or '.join(map(written.format, near))}?" if near else ""


def _hint_on_order(option: str, arguments: Sequence[str], context: Any) -> str:
    """Return the command line with its command first, where an option of a command stands before it."""
    at = _command_in(arguments, context)
    if at is None:
        return f"write it after a command: seqgen COMMAND {option}; seqgen --help lists the commands"
    return f"write it after the command: seqgen {shlex.join([arguments[at], *arguments[:at], *arguments[at + 1 :]])}"


def _off(flag: str, parameters: Sequence[Any]) -> str:
    """Return how an option is left off, or "" if there is no such option."""
    for parameter in parameters:
        if flag in parameter.opts and "none" in (parameter.metavar or "").split("|"):
            return f"write {flag} none"
        if flag in parameter.opts:
            return f"leave {flag} out"
    return ""


def _condition(option: str, arguments: Sequence[str]) -> str:
    """Return how a run is given the condition that an option is named after, or ""."""
    from seqgen.checkpoint import find_run

    words, run = _words(arguments), None
    names = words[words.index("--run") + 1 :] if "--run" in words else words[1:]
    with contextlib.suppress(SeqgenError, OSError):
        for word in names:
            with contextlib.suppress(SeqgenError):
                run = run or find_run(word)
        run = run or find_run(None)
        if (name := option.lstrip("-")) in run.settings().conditions:
            value = next(iter(_values_of(option, arguments)), "VALUE")
            return f"it is a condition of {run.name}: --given {name}={shlex.quote(value)}"
    return ""


def _settings() -> list[str]:
    """Return the settings of training and of the default model."""
    fields = option_names("train")
    with contextlib.suppress(SeqgenError, ImportError):
        fields += option_names("model", "seqgen:recurrent", plugins=session.plugins)
    return fields
