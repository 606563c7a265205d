"""Checking the hooks that a plugin implements, before any of them is called."""

from __future__ import annotations

import inspect
from typing import Any

import pluggy

from seqgen import hookspecs
from seqgen.errors import did_you_mean
from seqgen.plugins import api


def check_hooks(manager: pluggy.PluginManager, hooks: object) -> list[str]:
    """Return the sorted names of the hooks an object implements; refuse what pluggy finds late or never.

    Raises:
        LookupError: it implements no hook, or one that does not exist.
        TypeError: a hook takes an argument that does not exist, or runs nothing when it is called.
    """
    known = [name for name in vars(hookspecs) if name.startswith(("register_", "on_"))]
    found = []
    for name in dir(hooks):
        marked = manager.parse_hookimpl_opts(hooks, name)
        if marked is None:
            continue
        spelt = marked["specname"] or name
        if spelt in known:
            _check_arguments(spelt, getattr(hooks, name))
            if not (marked["hookwrapper"] or marked["wrapper"]):
                _check_runs(spelt, getattr(hooks, name))
        elif not marked["optionalhook"]:
            raise LookupError(f"there is no hook {spelt!r}{did_you_mean(spelt, known)}{api.hint(hooks)}")
        found.append(spelt)
    if not found:
        raise LookupError("it has no hooks: mark functions with @seqgen.hookimpl")
    return sorted(found)


def _check_runs(hook: str, implementation: Any) -> None:
    """Refuse a generator or async function, of which a call runs nothing."""
    if inspect.isgeneratorfunction(implementation) or inspect.isasyncgenfunction(implementation):
        raise TypeError(f"{hook} is a generator, which does nothing when it is called: leave yield out")
    if inspect.iscoroutinefunction(implementation):
        raise TypeError(f"{hook} is async, and does nothing when it is called: leave async out")


def _check_arguments(hook: str, implementation: Any) -> None:
    """Refuse arguments that a hook does not have; an implementation may take fewer."""
    known = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    for name, parameter in inspect.signature(implementation).parameters.items():
        if name not in known and parameter.default is parameter.empty:
            raise TypeError(f"{hook} has no argument {name!r}{did_you_mean(name, known)}")
