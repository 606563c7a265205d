"""Checks of the hooks that a plugin implements, and of the version for which it is written, before any is called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Container
from typing import Any

import pluggy

from seqgen import hookspecs
from seqgen.errors import did_you_mean, short_repr
from seqgen.hookspecs import PLUGIN_API

CURRENT_API = ".".join(map(str, PLUGIN_API))
_SPELT = re.compile(r"(\d+)(?:\.(\d+))?")
_NAMED = re.compile("register_|on_")


def declared_version(hooks: object, distribution: str) -> str:
    """Return the version that a plugin declares as ``seqgen_api``; the current one if it declares none.

    Args:
        hooks: the object with the hooks.
        distribution: its distribution, for the message.

    Raises:
        LookupError: it needs another major version, or what it declares is not a version.
    """
    said: Any = getattr(hooks, "seqgen_api", None)
    if said is None:
        return CURRENT_API
    spelt = _SPELT.fullmatch(said) if isinstance(said, str) else None
    if spelt is None:
        raise LookupError(f"seqgen_api is {short_repr(said, 40)}, not a version such as {CURRENT_API!r}")
    major = int(spelt[1])
    if major != PLUGIN_API[0]:
        newer = f" or a version of {distribution} for {PLUGIN_API[0]}" if major < PLUGIN_API[0] else ""
        raise LookupError(
            f"it is written for version {said} of the hooks, but this is {CURRENT_API}: "
            f"pip install {compatible_releases(major)!r}{newer}"
        )
    return spelt[0]


def newer_hint(said: str) -> str:
    """Return a clause about a plugin written for a newer minor version, or ""."""
    is_newer = int(said.partition(".")[2] or 0) > PLUGIN_API[1]
    return f"is written for version {said} of the hooks, but this is {CURRENT_API}" if is_newer else ""


def compatible_releases(major: int) -> str:
    """Return the releases of seqgen with a major version of the hooks, as a pip requirement."""
    return "seqgen-lm>=0.1,<2" if major <= 1 else f"seqgen-lm>={major},<{major + 1}"


UPGRADE = "pip install --upgrade seqgen-lm"


def check_hooks(manager: pluggy.PluginManager, hooks: object) -> list[str]:
    """Return the sorted names of an object's hooks; refuse mistakes that pluggy reports late or never.

    Raises:
        LookupError: it implements no hook, or an unknown one.
        TypeError: a hook has an unknown argument, is a generator or async function, or can register nothing.
    """
    known = list(filter(_NAMED.match, vars(hookspecs)))
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
                _check_registers(hook, getattr(hooks, name))
        elif not marked["optionalhook"]:
            newer = newer_hint(str(getattr(hooks, "seqgen_api", CURRENT_API)))
            hint = f"; it {newer}: {UPGRADE}" if newer else ""
            raise LookupError(f"there is no hook {hook!r}{did_you_mean(hook, known)}{hint}")
        found.append(hook)
    if not found:
        raise LookupError("it has no hooks; mark functions with @seqgen.hookimpl")
    return sorted(found)


def unmarked_hooks(hooks: object, implemented: Container[str]) -> list[str]:
    """Return the names of functions that are named like hooks and are not marked, so that nothing calls them.

    Functions of other packages are left out, and those whose hook another function implements.

    Args:
        hooks: the object with the hooks.
        implemented: the hooks that it implements.
    """
    found = []
    for name in filter(_NAMED.match, vars(hookspecs)):
        function = getattr(hooks, name, None)
        if name in implemented or not inspect.isroutine(function):
            continue
        if not inspect.ismodule(hooks) or _package(function.__module__) == _package(hooks.__name__):
            found.append(name)
    return found


def _package(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _check_runs(hook: str, implementation: Any) -> None:
    """Refuse generators and async functions, whose body does not run when they are called."""
    if inspect.isgeneratorfunction(implementation) or inspect.isasyncgenfunction(implementation):
        raise TypeError(f"{hook} is a generator, so calling it does nothing; remove yield")
    if inspect.iscoroutinefunction(implementation):
        raise TypeError(f"{hook} is async, so calling it does nothing; remove async")


def _check_registers(hook: str, implementation: Any) -> None:
    """Refuse a hook without the argument by which it registers, since what it returns is not used."""
    (register,) = inspect.signature(getattr(hookspecs, hook)).parameters if hook.startswith("register_") else (None,)
    if register is not None and register not in inspect.signature(implementation).parameters:
        raise TypeError(f"{hook} registers nothing, since it has no argument {register!r}: write {hook}({register})")


def _check_arguments(hook: str, implementation: Any) -> None:
    """Refuse unknown arguments of a hook; an implementation may take fewer."""
    known = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    for name, parameter in inspect.signature(implementation).parameters.items():
        if name not in known and parameter.default is parameter.empty:
            raise TypeError(f"{hook} has no argument {name!r}{did_you_mean(name, known)}")
