"""The plugins of a call from Python, and parts given as classes or specs or named by other parts."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from seqgen.errors import PluginError, UnknownName
from seqgen.plugins.discovery import entry_point_candidates
from seqgen.plugins.manager import Plugins
from seqgen.plugins.objects import load_objects, register_object
from seqgen.plugins.session import active_plugins
from seqgen.registry import Entry
from seqgen.specs import Spec


@functools.cache
def default_plugins() -> Plugins:
    """Return the installed plugins, loaded once; problems are Python warnings."""
    plugins = Plugins(warn=_warn)
    plugins.load(entry_point_candidates(_warn))
    return plugins


def _warn(line: str) -> None:
    warnings.warn(line, RuntimeWarning, stacklevel=2)


SomePlugins = Plugins | Iterable[object] | str | Path | ModuleType | Spec | type | None
"""None: all that are installed; else one, or several, of what ``seqgen.plugins.load_objects`` takes: these too."""


def choose_plugins(plugins: SomePlugins) -> Plugins:
    """Return the plugins of a call: all that are installed, and those that are given.

    Raises:
        UsageError: something given is no plugin.
    """
    if plugins is None:
        session = active_plugins()  # within a command: those that it was started with, files too
        return session if isinstance(session, Plugins) else default_plugins()
    if isinstance(plugins, Plugins):
        return plugins
    several = isinstance(plugins, Iterable) and not isinstance(plugins, str | type)
    chosen = Plugins(warn=_warn)
    chosen.load(entry_point_candidates(_warn))
    load_objects(chosen, plugins if several else [plugins])  # type: ignore[arg-type]
    return chosen


def choose_parts(plugins: SomePlugins, parts: Mapping[str, object]) -> tuple[Plugins, dict[str, str | None]]:
    """Return the plugins of a call, and the names of its parts, of which some are given as classes or specs.

    Args:
        plugins: as ``choose_plugins`` takes them.
        parts: names, classes, specs or None, by kind.

    Raises:
        UsageError: something given is no plugin, or no such part.
    """
    given = {kind: part for kind, part in parts.items() if part is not None and not isinstance(part, str)}
    chosen = choose_plugins([] if plugins is None and given else plugins)
    names = {kind: part for kind, part in parts.items() if part is None or isinstance(part, str)}
    return chosen, names | {kind: register_object(chosen, kind, part) for kind, part in given.items()}


def named_by(naming: Entry, kind: str, name: str, plugins: Plugins) -> Entry:
    """Return a part that a spec names, such as the validator of a domain; its own plugin's comes first.

    Raises:
        PluginError: no plugin offers it.
    """
    try:
        return plugins.registry.get(kind, name, near=naming)
    except UnknownName:
        hint = plugins.failed_hint()
        raise PluginError(
            f"{naming.full_label} names the {kind} {name!r}, which no plugin offers" + (f" ({hint})" if hint else "")
        ) from None
