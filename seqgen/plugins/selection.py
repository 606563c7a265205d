"""Selection of the plugins and parts for a call of the Python API."""

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


PluginsArgument = Plugins | Iterable[object] | str | Path | ModuleType | Spec | type | None
"""None for all installed plugins, or one or several objects for ``load_objects`` to add to them."""


def choose_plugins(plugins: PluginsArgument = None) -> Plugins:
    """Return the plugins for a call: the installed ones, and those that are passed.

    Raises:
        UsageError: an object that is passed is not a plugin.
    """
    if plugins is None:
        session = active_plugins()  # inside a command: the plugins it was started with, including files
        return session if isinstance(session, Plugins) else default_plugins()
    if isinstance(plugins, Plugins):
        return plugins
    several = isinstance(plugins, Iterable) and not isinstance(plugins, str | type)
    chosen = Plugins(warn=_warn)
    chosen.load(entry_point_candidates(_warn))
    load_objects(chosen, plugins if several else [plugins])  # type: ignore[arg-type]
    return chosen


def option_names(kind: str, name: str = "", *, plugins: PluginsArgument = None) -> list[str]:
    """Return the names of the options of a registered part, or of the settings of training.

    Args:
        kind: "cell", "model", ..., or "train" for the settings of training, which need no name.
        name: of the part.
        plugins: as ``choose_plugins`` takes them.

    Raises:
        UnknownName: no plugin offers it.
        PluginError: its options cannot be imported or derived.
    """
    if kind == "train":
        from seqgen.config import TrainSettings

        return list(TrainSettings.model_fields)
    return choose_plugins(plugins).registry.get(kind, name).option_names()


def choose_parts(plugins: PluginsArgument, parts: Mapping[str, object]) -> tuple[Plugins, dict[str, str | None]]:
    """Return the plugins of a call, and the names of its parts, of which some are given as classes or specs.

    Args:
        plugins: as for ``choose_plugins``.
        parts: names, classes, specs or None, by kind.

    Raises:
        UsageError: an object that is passed is not a plugin, or not such a part.
    """
    given = {kind: part for kind, part in parts.items() if part is not None and not isinstance(part, str)}
    chosen = choose_plugins([] if plugins is None and given else plugins)
    names = {kind: part for kind, part in parts.items() if part is None or isinstance(part, str)}
    return chosen, names | {kind: register_object(chosen, kind, part) for kind, part in given.items()}


def get_referenced(naming: Entry, kind: str, name: str, plugins: Plugins) -> Entry:
    """Return a part that a spec refers to, such as the validator of a domain; its own plugin takes precedence.

    Raises:
        PluginError: no plugin has registered it.
    """
    try:
        return plugins.registry.get(kind, name, near=naming)
    except UnknownName:
        hint = plugins.failed_hint()
        raise PluginError(
            f"{naming.full_label} names the {kind} {name!r}, which no plugin offers" + (f" ({hint})" if hint else "")
        ) from None
