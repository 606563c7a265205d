"""The specs of a plugin, and all its checks."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from seqgen.errors import PluginError, UnknownName
from seqgen.plugins import Candidate, Plugins, entry_point_candidates, file_candidate, hint_on_source
from seqgen.specs import KINDS, Spec
from seqgen.testing.catalog import checks_of_package, checks_on
from seqgen.testing.check import Check, Package, Subject
from seqgen.testing.events import EVENTS, replay_events
from seqgen.testing.options import options_by_spec
from seqgen.testing.trackers import try_trackers

if TYPE_CHECKING:
    import typer


def specs_of(plugin: ModuleType | str | Path) -> list[Spec]:
    """Return the specs of a plugin.

    Args:
        plugin: a module, the name of an import package, or the path of a plugin in one file.

    Raises:
        UnknownName: there is no such package.
        UsageError: there is no such file, or it cannot be a plugin.
        PluginError: it cannot be loaded.
    """
    return list(package_of(plugin).specs)


def package_of(plugin: ModuleType | str | Path) -> Package:
    """Return a plugin as a whole; see ``specs_of``."""
    candidate, file = candidate_of(plugin)
    candidate = replace(candidate, load=functools.cache(candidate.load))  # imported once: its parts are these
    problems: list[str] = []
    plugins = Plugins(problems.append)
    plugins.load([candidate])
    own = plugins.plugins.get(candidate.package)
    if problems and (own is None or own.problem or own.notes):  # others are warnings, about a newer API for instance
        raise PluginError(problems[0])
    entries = [entry for kind in KINDS for entry in plugins.registry.entries(kind)]
    specs = tuple(entry.spec for entry in entries if entry.package == candidate.package)

    @contextlib.contextmanager
    def no_problems() -> Iterator[None]:
        problems.clear()  # of other checks
        yield
        if problems:
            raise PluginError(problems[0])

    def commands() -> typer.Typer:
        import typer

        app = typer.Typer()
        with no_problems():
            plugins.call_hook("register_commands", lambda package: {"app": app})
        return app

    def trackers() -> list[str]:
        with no_problems():
            return try_trackers(plugins, candidate.package)

    def events() -> list[str]:
        fresh = Plugins(problems.append)  # a hook that fails is not called again by the plugins of before
        fresh.load([candidate])
        hooks = [hook for hook in EVENTS if candidate.package in fresh.implementing(hook)]
        with no_problems():
            changed = replay_events(fresh) if hooks else []
        if changed:
            raise PluginError(f"its hooks change {' and '.join(changed)} for the whole process")
        return hooks

    return Package(candidate.package, specs, file, commands, trackers, events)


def candidate_of(plugin: ModuleType | str | Path) -> tuple[Candidate, Path | None]:
    """Return a plugin that is not loaded yet, and its file if it is a single file; see ``specs_of``."""
    if isinstance(plugin, Path) or (isinstance(plugin, str) and (plugin.endswith(".py") or "/" in plugin)):
        return file_candidate(Path(plugin)), Path(plugin)
    name = plugin.__name__ if isinstance(plugin, ModuleType) else plugin
    installed = {candidate.package: candidate for candidate in entry_point_candidates()}
    if name in installed and isinstance(plugin, str):
        return installed[name], None
    if isinstance(plugin, str) and not _exists(name):
        hint = hint_on_source(name) or "the name of an import package, or a file: ./mycell.py"
        raise UnknownName("plugin", name, installed, hint)
    spec = getattr(plugin, "__spec__", None) if isinstance(plugin, ModuleType) else importlib.util.find_spec(name)
    path = getattr(plugin, "__file__", None) if spec is None else spec.origin
    is_package = spec is not None and bool(spec.submodule_search_locations)
    file = Path(str(path)) if path is not None and name not in installed and not is_package else None
    given = plugin if isinstance(plugin, ModuleType) else None
    # An error on import is the plugin's; the guard that loads it reports it.
    return Candidate(name, name, "?", lambda: given or importlib.import_module(name)), file


def _exists(name: str) -> bool:
    """Return whether Python finds a package; a project of that name in the current folder is none."""
    try:
        found = importlib.util.find_spec(name)
        return found is not None and (found.origin is not None or not hint_on_source(name))
    except (ImportError, ValueError):
        return False
    except Exception:  # a parent package fails on import
        return True


def checks_of_plugin(
    plugin: ModuleType | str | Path | Package | Sequence[Spec], options: Mapping[str, Any] | None = None
) -> list[Check]:
    """Return all checks of a plugin, those of the whole plugin first; for a list of specs, the checks of these only.

    Args:
        plugin: an argument of ``specs_of``, a result of ``package_of``, or specs.
        options: values that differ from the defaults, by ``"part.name"`` or bare name; the part is a kind or the name
            of a spec. Each value goes to every spec that has the option.

    Raises:
        BadOption: no spec has the option, or it refuses the value.
    """
    if isinstance(plugin, ModuleType | str | Path | Package):
        package = plugin if isinstance(plugin, Package) else package_of(plugin)
        return [*checks_of_package(package), *_checks_of_specs(package.specs, options or {})]
    return _checks_of_specs(plugin, options or {})


def _checks_of_specs(specs: Sequence[Spec], options: Mapping[str, Any]) -> list[Check]:
    from seqgen.config import split_names

    given = options_by_spec(specs, split_names(options))
    return [
        check
        for spec, values in zip(specs, given, strict=True)
        for check in checks_on(Subject(spec, values, siblings=tuple(specs)))
    ]
