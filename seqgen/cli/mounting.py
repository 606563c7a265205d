"""Mounting of plugins' commands."""

from __future__ import annotations

import contextlib
import inspect
import sys

import typer
from typer.main import get_command, get_command_name

from seqgen.cli.common import STDOUT_FOR_RESULTS, TRAIN_SETTINGS, configured, everywhere, session
from seqgen.errors import one_line


def mount_plugin_commands(app: typer.Typer) -> None:
    """Add the commands of the session's plugins; what cannot be added costs a line, which ``seqgen plugins`` shows."""
    plugins = session.plugins
    own_apps: dict[str, typer.Typer] = {}

    def fresh(package: str) -> dict[str, typer.Typer]:
        own_apps[package] = typer.Typer()
        return {"app": own_apps[package]}

    with contextlib.redirect_stdout(sys.stderr):
        plugins.call_hook("register_commands", fresh)
    taken = set(get_command(app).commands)  # type: ignore[attr-defined]
    for package in plugins.implementing("register_commands"):
        try:
            kept, names, problems = _sort_out(own_apps[package], taken)
        except Exception as error:
            plugins.add_note(package, f"its commands are not used: {one_line(error)}")
            continue
        app.registered_commands += kept.registered_commands
        app.registered_groups += kept.registered_groups
        taken |= names
        for problem in problems:
            plugins.add_note(package, f"a command of it is not used: {problem}")


def _sort_out(own: typer.Typer, taken: set[str]) -> tuple[typer.Typer, set[str], list[str]]:
    """Return a plugin's commands and groups to use, their names, and why others are left out."""
    _adopt(own)
    kept, names, problems = typer.Typer(), set[str](), list[str]()
    for part in ("registered_commands", "registered_groups"):
        for item in getattr(own, part):
            one = typer.Typer()
            getattr(one, part).append(item)
            its_names = command_names(one)
            if clashing := its_names & (taken | names):
                problems += [
                    f"the name {name!r} is taken already" if name in taken else f"it has another one named {name!r}"
                    for name in sorted(clashing)
                ]
            else:
                getattr(kept, part).append(item)
                names |= its_names
    return kept, names, problems


def command_names(app: typer.Typer) -> set[str]:
    """Return the names of an app's commands and groups."""
    if not (app.registered_commands or app.registered_groups):
        return set()
    app.callback()(lambda: None)  # which makes a group even of a single command
    return set(get_command(app).commands)  # type: ignore[attr-defined]


def _adopt(own: typer.Typer) -> None:
    """Give every command of a plugin, at any depth, the options that work everywhere."""
    for command in own.registered_commands:
        if command.callback is not None:
            prints = not hasattr(command.callback, STDOUT_FOR_RESULTS)
            without = getattr(command.callback, TRAIN_SETTINGS, None)
            name = command.name or get_command_name(command.callback.__name__)
            own_flags = inspect.signature(command.callback).parameters
            flags = None if without is None else configured(name, "TrainConfig", without={*without, *own_flags})
            command.callback = everywhere(command.callback, prints=prints, flags=flags)
    for group in own.registered_groups:
        if group.typer_instance is not None:
            _adopt(group.typer_instance)
