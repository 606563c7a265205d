"""Tasks: calls of importable functions with JSON values, the plugins that they need, and their outcomes as JSON."""

from __future__ import annotations

import functools
import importlib
import json
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqgen import errors
from seqgen.errors import (
    Interrupted,
    MissingPlugin,
    PluginError,
    SeqgenError,
    TaskFailed,
    UsageError,
    is_out_of_memory,
    one_line,
    short_repr,
)
from seqgen.plugins import CORE, Plugin, Plugins, activate_plugins, file_candidate, installed, load_objects
from seqgen.specs import is_reference, load_reference

_LOADING = threading.Lock()


@dataclass(frozen=True)
class Task:
    """A call of a function, which runs in any process that can import it.

    Attributes:
        function: its name: "package.module:name". It takes keywords and returns a JSON value.
        arguments: its keywords, all of them JSON values.
        label: the task in messages; "": the name of the function.

    Raises:
        UsageError: the function has no importable name, or an argument is not a JSON value.
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        """Validate the name of the function and the arguments."""
        if not is_reference(self.function) or self.function.startswith("__main__:"):
            raise UsageError(
                f"cannot run {short_repr(self.function)} as a task: it needs an importable plugin; put the function "
                'into a module and pass its name, "package.module:name"'
            )
        try:
            json.dumps(dict(self.arguments))
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"cannot run the task {self.name!r}: its arguments are not JSON ({one_line(error)}); objects need an "
                "importable plugin"
            ) from None

    @property
    def name(self) -> str:
        """The task in messages."""
        return self.label or self.function

    def to_json(self, plugins: Plugins) -> str:
        """Return the task for ``run_json``, with the plugins that its process needs.

        Raises:
            UsageError: a plugin was passed as a Python object, which other processes cannot import.
        """
        values = {"function": self.function, "arguments": dict(self.arguments), "name": self.name}
        return json.dumps(values | {"plugins": ship_plugins(plugins)})


def run_here(task: Task, plugins: Plugins) -> Any:
    """Run a task in this process and return its JSON value.

    Raises:
        SeqgenError: what the function raises; TaskFailed for any other exception.
    """
    with activate_plugins(plugins):
        return _call(task.function, json.loads(json.dumps(dict(task.arguments))), task.name)


def run_json(text: str) -> str:
    """Run a task that ``Task.to_json`` wrote, in a worker; return its outcome for ``read_outcome``."""
    task = json.loads(text)
    try:
        with activate_plugins(_plugins(json.dumps(task["plugins"]))):
            return json.dumps({"value": _call(task["function"], task["arguments"], task["name"])})
    except SeqgenError as error:
        return json.dumps({"error": _error_to_json(error)})


def read_outcome(text: str) -> Any:
    """Return the JSON value of a task.

    Raises:
        SeqgenError: the task raised it: of the same class, with the same message.
    """
    outcome = json.loads(text)
    if "error" in outcome:
        raise _error_from_json(outcome["error"])
    return outcome["value"]


def _plugins(shipped: str) -> Plugins:
    """Return plugins, loaded by one thread at a time: while a plugin is imported, its output is redirected."""
    with _LOADING:
        return _load_plugins(shipped)


@functools.lru_cache(maxsize=1)
def _load_plugins(shipped: str) -> Plugins:
    return shipped_plugins(json.loads(shipped))


def _call(function: str, arguments: Mapping[str, Any], name: str) -> Any:
    try:
        called = load_reference(function)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"cannot run the task {name!r}: {function} needs an importable plugin ({one_line(error)})"
        ) from None
    try:
        value = called(**arguments)
        return json.loads(json.dumps(value))
    except SeqgenError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise UsageError(f"the task {name!r} does not fit into memory ({one_line(error)})") from error
        raise TaskFailed(f"the task {name!r} failed: {type(error).__name__}: {one_line(error)}") from error


def _error_to_json(error: SeqgenError) -> dict[str, Any]:
    """Return an error of seqgen, or the nearest class of seqgen for a plugin's own, with its JSON attributes."""
    kind = next(base.__name__ for base in type(error).__mro__ if base.__module__ == errors.__name__)
    plain = {name: value for name, value in vars(error).items() if name != "__notes__" and _is_json(value)}
    return {"kind": kind, "message": str(error), "attributes": plain}


def _error_from_json(values: Mapping[str, Any]) -> SeqgenError:
    kind = getattr(errors, values["kind"])
    if issubclass(kind, Interrupted):  # its message is for the process that the signal reached
        return TaskFailed(f"a worker was interrupted: {values['message']}")
    error: SeqgenError = kind.__new__(kind, values["message"])  # whose __init__ may take other arguments
    vars(error).update(values["attributes"])
    return error


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


# -- plugins


def ship_plugins(plugins: Plugins) -> list[dict[str, str]]:
    """Return the plugins in use, each an installed package, a file with its SHA-256, or a module.

    Raises:
        UsageError: one was passed as a Python object, such as a class, which other processes cannot import.
    """
    return [
        _shipped(package, plugin, plugins)
        for package, plugin in plugins.plugins.items()
        if package != CORE and not plugin.problem
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
