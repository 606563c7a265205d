"""The plugins of a command as JSON, so that a worker process loads the same ones."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from seqgen.errors import MissingPlugin, PluginError, UsageError
from seqgen.plugins import Plugin, Plugins, file_candidate, installed, load_objects

_CORE = "seqgen"


def ship_plugins(plugins: Plugins) -> list[dict[str, str]]:
    """Return the plugins in use, each an installed package, a file with its SHA-256, or a module.

    Raises:
        UsageError: one was passed as a Python object, such as a class, which other processes cannot import.
    """
    return [
        _shipped(package, plugin, plugins)
        for package, plugin in plugins.plugins.items()
        if package != _CORE and not plugin.problem
    ]


def _shipped(package: str, plugin: Plugin, plugins: Plugins) -> dict[str, str]:
    of = plugin.provenance
    if of.given and of.given != package:
        raise UsageError(
            f"cannot use {of.given} of {package} on workers: it was passed from Python and needs an importable "
            "plugin; put it into a file with a hook, and pass the file"
        )
    if of.given:
        return {"module": package}
    if of.sha256 is None:
        return {"package": package, "distribution": of.distribution}
    file = getattr(plugins.get_hooks(package), "__file__", None) or getattr(sys.modules.get(package), "__file__", None)
    if file is None:
        raise UsageError(f"cannot use plugin {of} on workers: its file is not known; pass it with --plugin")
    return {"file": str(Path(file).resolve()), "sha256": of.sha256}


def shipped_plugins(shipped: list[Mapping[str, str]]) -> Plugins:
    """Return the plugins that ``ship_plugins`` described, loaded in this process.

    Raises:
        MissingPlugin: one is not installed here.
        UsageError: a file is not here.
        PluginError: a file has changed since, or a plugin cannot be used.
    """
    here = {candidate.package: candidate for candidate in installed()}
    plugins = Plugins(warn=lambda line: None)  # the process that sent the task has warned
    for item in shipped:
        if "package" in item:
            if item["package"] not in here:
                raise MissingPlugin(
                    f"the worker has no plugin {item['package']!r}: pip install {item['distribution']!r} there"
                )
            plugins.load([here[item["package"]]], needed=True)
        elif "file" in item:
            candidate = file_candidate(Path(item["file"]))
            if candidate.sha256 != item["sha256"]:
                raise PluginError(f"the plugin file {candidate.distribution!r} has changed since the command started")
            plugins.load([candidate], needed=True)
        else:
            load_objects(plugins, [importlib.import_module(item["module"])])
    return plugins
