"""Mounting of plugins' commands."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from collections.abc import Callable, Collection, Container, Mapping
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_command_name
from typer.models import CommandInfo, TyperInfo

from seqgen.cli.common import STDOUT_FOR_RESULTS, TRAIN_SETTINGS, configured, everywhere, session
from seqgen.errors import one_line, short_repr

MARKUP_OF_HELP: Final = "markdown"
"""The markup of help texts; rich's own would take [/x] in one for markup."""
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_ADOPTED = "seqgen_adopted"
"""The attribute of an adopted command that has the plugin's own function."""
_LOADING = {"plugin": "--plugin", "no_plugins": "--no-plugins"}
_ITS_USE = "which every command has for loading plugins; rename it"


def as_group(app: typer.Typer) -> TyperGroup:
    """Return an app with a callback as the parser's group of commands."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def plugin_commands(taken: Collection[str]) -> dict[str, Any]:
    """Return the commands of the session's plugins by name; what cannot be used costs a line of ``seqgen plugins``.

    Args:
        taken: names of other commands.
    """
    plugins = session.plugins
    own_apps: dict[str, typer.Typer] = {}

    def fresh(package: str) -> dict[str, typer.Typer]:
        own_apps[package] = typer.Typer()
        return {"app": own_apps[package]}

    with contextlib.redirect_stdout(sys.stderr):
        plugins.call_hook("register_commands", fresh)
    commands: dict[str, Any] = {}
    for package in plugins.implementing("register_commands"):
        its_commands, problems = usable_commands(own_apps[package], [*taken, *commands])
        commands |= its_commands
        for problem in problems:
            plugins.add_note(package, f"a command of it is not used: {problem}")
    return commands


class _Unusable(Exception):
    """A command that would do nothing, or that users could not call as it is declared."""


def usable_commands(own: typer.Typer, taken: Container[str]) -> tuple[dict[str, Any], list[str]]:
    """Return a plugin's commands and groups to use by name, and why others are left out.

    Args:
        own: the plugin's commands, which get the options that work everywhere.
        taken: names of other commands.
    """
    kept, problems = dict[str, Any](), list[str]()
    for part in ("registered_commands", "registered_groups"):
        for item in getattr(own, part):
            one = typer.Typer(rich_markup_mode=MARKUP_OF_HELP)
            getattr(one, part).append(item)
            try:
                _adopt(one)
                commands = _built(one)
            except _Unusable as error:
                problems.append(str(error))
                continue
            except Exception as error:
                problems.append(f"{_label(item)}: {type(error).__name__}: {one_line(error)}")
                continue
            clashing = sorted(name for name in commands if name in taken or name in kept)
            if clashing:
                problems += [
                    f"the name {name!r} is taken already" if name in taken else f"it has another one named {name!r}"
                    for name in clashing
                ]
            else:
                kept |= commands
    return kept, problems


def _label(item: CommandInfo | TyperInfo) -> str:
    """Return a command or a group for messages: "'choir'"."""
    group = getattr(item, "typer_instance", None)
    name = item.name or (group.info.name if group is not None else "")
    function = getattr(item.callback, "__name__", None)
    return repr(str(name or (short_repr(item.callback) if function is None else get_command_name(function))))


def _built(app: typer.Typer) -> dict[str, Any]:
    """Return an app's commands and groups by name.

    Raises:
        _Unusable: a name, at any depth, is not of the form of names, or an option is one by which plugins are loaded.
    """
    app.callback()(lambda: None)  # which makes a group even of a single command
    commands = dict(as_group(app).commands)
    _check_tree(commands)
    return commands


def _check_tree(commands: Mapping[str, Any]) -> None:
    for name, command in commands.items():
        if not _NAME.fullmatch(name):
            raise _Unusable(f"the name {name!r} is not of the form {_NAME.pattern}")
        for flag in _LOADING.values():
            if sum(flag in (*option.opts, *option.secondary_opts) for option in command.params) > 1:
                raise _Unusable(f"{name!r} has an option {flag} of its own, {_ITS_USE}")
        _check_tree(getattr(command, "commands", {}))


def _adopt(own: typer.Typer) -> None:
    """Give every command of a plugin, at any depth, the options that work everywhere.

    Raises:
        _Unusable: a command would not run, or an option of it is one by which plugins are loaded.
    """
    for command in own.registered_commands:
        if command.callback is None:
            continue
        function = getattr(command.callback, _ADOPTED, command.callback)  # of a group that was adopted before
        if not callable(function):
            raise _Unusable(f"a command is {short_repr(function)}, which is not a function")
        own_flags = inspect.signature(function).parameters
        _check_function(function, own_flags, _label(command))
        prints = not hasattr(function, STDOUT_FOR_RESULTS)
        without = getattr(function, TRAIN_SETTINGS, None)
        name = command.name or get_command_name(function.__name__)
        flags = None if without is None else configured(name, "TrainConfig", without={*without, *own_flags})
        try:
            command.callback = everywhere(function, prints=prints, flags=flags)
        except Exception as error:  # annotations that cannot be evaluated
            raise _Unusable(f"{_label(command)}: {type(error).__name__}: {one_line(error)}") from error
        setattr(command.callback, _ADOPTED, function)
    of_groups = [own.info, own.registered_callback, *own.registered_groups]
    for callback in (of.callback for of in of_groups if of is not None and inspect.isfunction(of.callback)):
        _check_function(callback, (), f"{callback.__name__!r}, the callback of a group,")
    for group in own.registered_groups:
        if group.typer_instance is not None:
            _adopt(group.typer_instance)


def _check_function(function: Callable[..., Any], parameters: Container[str], label: str) -> None:
    """Refuse a function that does nothing when it is called, or hides an option by which plugins are loaded."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise _Unusable(f"{label} is a generator, so calling it does nothing; remove yield")
    if inspect.iscoroutinefunction(function):
        raise _Unusable(f"{label} is async, so calling it does nothing; remove async")
    for parameter, flag in _LOADING.items():
        if parameter in parameters:
            raise _Unusable(f"{label} has an option {flag} of its own, or a parameter {parameter!r}, {_ITS_USE}")
