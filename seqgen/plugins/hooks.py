"""Checks of the hooks that a plugin implements, before any of them is called."""

from __future__ import annotations

import inspect
from typing import Any

import pluggy

from seqgen import hookspecs
from seqgen.errors import did_you_mean
from seqgen.plugins import api


def check_hooks(manager: pluggy.PluginManager, hooks: object) -> list[str]:
    """Return the sorted names of an object's hooks; refuse mistakes that pluggy reports late or never.

    Raises:
        LookupError: it implements no hook, or an unknown one.
        TypeError: a hook has an unknown argument, or is a generator or async function.
    """
    known = [name for name in vars(hookspecs) if name.startswith(("register_", "on_"))]
    found = []
    for name in dir(hooks):
        marked = manager.parse_hookimpl_opts(hooks, name)
        if marked is None:
            continue
        hook = marked["specname"] or name
        if hook in known:
            _check_arguments(hook, getattr(hooks, name))
            if not (marked["hookwrapper"] or marked["wrapper"]):
                _check_runs(hook, getattr(hooks, name))
        elif not marked["optionalhook"]:
            raise LookupError(f"there is no hook {hook!r}{did_you_mean(hook, known)}{api.hint(hooks)}")
        found.append(hook)
    if not found:
        raise LookupError("it has no hooks; mark functions with @seqgen.hookimpl")
    return sorted(found)


def _check_runs(hook: str, implementation: Any) -> None:
    """Refuse generators and async functions, whose body does not run when they are called."""
    if inspect.isgeneratorfunction(implementation) or inspect.isasyncgenfunction(implementation):
        raise TypeError(f"{hook} is a generator, so calling it does nothing; remove yield")
    if inspect.iscoroutinefunction(implementation):
        raise TypeError(f"{hook} is async, so calling it does nothing; remove async")


def _check_arguments(hook: str, implementation: Any) -> None:
    """Refuse unknown arguments of a hook; an implementation may take fewer."""
    known = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    for name, parameter in inspect.signature(implementation).parameters.items():
        if name not in known and parameter.default is parameter.empty:
            raise TypeError(f"{hook} has no argument {name!r}{did_you_mean(name, known)}")
