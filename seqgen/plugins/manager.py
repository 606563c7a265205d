"""The plugin manager: loads plugins in isolation, so that a broken one costs a warning and not the command."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pluggy

from seqgen import __version__, hookspecs
from seqgen.errors import (
    FAULT_NOTE,
    DiskError,
    Interrupted,
    PluginError,
    SeqgenError,
    find_plugin_frame,
    one_line,
    short_repr,
)
from seqgen.plugins import builtin
from seqgen.plugins.discovery import Candidate, installed, missing_plugin
from seqgen.plugins.hooks import CURRENT_API, UPGRADE, check_hooks, declared_version, newer_hint, unmarked_hooks
from seqgen.process_state import torch_kept
from seqgen.registry import Entry, Registry
from seqgen.signals import annotate_interrupt, reraise_signal
from seqgen.specs import KINDS, SPEC_TYPES, Spec

CORE = "seqgen"
_GIVEN = "; "  # separates the expressions in Provenance.given


@dataclass(frozen=True)
class Provenance:
    """The origin of a part of a run, as run.json stores it.

    Attributes:
        package: the import package.
        distribution: the distribution, or a file name.
        version: its version.
        sha256: the SHA-256 of a one-file plugin.
        api: the version of the hooks that it declares; the current one by default.
        given: the objects of it that were passed from Python and must be passed again: "MyCell; MyModel"; "" if none.
    """

    package: str
    distribution: str
    version: str
    sha256: str | None = None
    api: str = CURRENT_API
    given: str = ""

    def __str__(self) -> str:
        """Return the plugin for messages: "mycell (seqgen-mycell 0.1)"."""
        return f"{self.package} ({self.distribution} {self.version})"


@dataclass
class Plugin:
    """A plugin that was found, and the result of loading it.

    Attributes:
        provenance: its origin.
        hooks: the hooks that it implements.
        load_s: the seconds that importing and registering took.
        problem: the reason why it is not used; "" if it is.
        notes: reasons why some of its hooks are not used.
        heavy: whether it imported torch, which slows down the start of every command.
    """

    provenance: Provenance
    hooks: list[str] = field(default_factory=list)
    load_s: float = 0.0
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    heavy: bool = False


class Plugins:
    """The plugins of a program: the parts that they register, and their event hooks.

    With ``SEQGEN_PLUGINS_STRICT=1`` a problem of a plugin is raised as a PluginError; with ``SEQGEN_TRACE_PLUGINS=1``
    each hook call is logged on stderr.

    Args:
        warn: called with one line for each problem.

    Attributes:
        registry: the registered parts.
        plugins: the plugins found, by package.
        duplicates: plugins whose package name was already taken.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.registry = Registry()
        self.plugins: dict[str, Plugin] = {}
        self.duplicates: list[Plugin] = []
        self._warn = warn
        self._manager = pluggy.PluginManager("seqgen")
        self._manager.add_hookspecs(hookspecs)
        self.load([Candidate(CORE, "seqgen-lm", __version__, lambda: builtin)])

    @functools.cached_property
    def installed(self) -> frozenset[str]:
        """Return the packages of all installed plugins, loaded or not; searching for them takes a while."""
        return frozenset(candidate.package for candidate in installed())

    def report_problem(self, line: str) -> None:
        """Warn about a problem of a plugin.

        Raises:
            PluginError: ``SEQGEN_PLUGINS_STRICT`` is set.
        """
        if _is_set("SEQGEN_PLUGINS_STRICT"):
            raise PluginError(line)
        self._warn(line)

    def load(self, candidates: Iterable[Candidate], *, needed: bool = False) -> None:
        """Load plugins; a failing one is reported in one line, and the others are loaded.

        Args:
            candidates: the plugins.
            needed: whether the user requested these, so that a failure is an error.

        Raises:
            PluginError: a needed plugin cannot be used.
        """
        for candidate in candidates:
            of = candidate.package, candidate.distribution, candidate.version, candidate.sha256
            provenance = Provenance(*of, given=candidate.given)
            if candidate.package in self.plugins:
                holder = self.plugins[candidate.package].provenance
                taken = f"the name {candidate.package!r} is already taken by {holder.distribution} {holder.version}"
                self.duplicates.append(Plugin(provenance, problem=taken))
                self.report_problem(f"plugin {provenance} is not loaded: {taken}")
                continue
            plugin = self.plugins[candidate.package] = Plugin(provenance)
            had_torch, started = "torch" in sys.modules, time.perf_counter()
            try:
                with (
                    contextlib.redirect_stdout(sys.stderr),
                    warnings.catch_warnings(action="ignore"),
                    annotate_interrupt(f"plugin {provenance} was being imported"),
                ):
                    self._load(candidate, plugin)
            except KeyboardInterrupt:  # from the user, not from the plugin
                raise
            except BaseException as error:
                reraise_signal()
                self._drop(plugin)
                plugin.problem = _explained(error, candidate.package)
                line = f"plugin {provenance} is not used: {plugin.problem}"
                if needed:
                    raise PluginError(line) from error
                self.report_problem(line)
            plugin.load_s = time.perf_counter() - started
            plugin.heavy = "torch" in sys.modules and not had_torch
            if not plugin.problem and (line := newer_hint(plugin.provenance.api)):
                self.report_problem(f"plugin {provenance} {line}: newer features are missing; {UPGRADE}")
            if not plugin.problem and (unmarked := unmarked_hooks(self.get_hooks(candidate.package), plugin.hooks)):
                named, each = " and ".join(unmarked), "it" if len(unmarked) == 1 else "each"
                self.add_note(candidate.package, f"nothing calls its {named}: put @seqgen.hookimpl above {each}")

    def register_spec(self, spec: Spec, provenance: Provenance) -> Entry:
        """Register a spec passed from Python, replacing one of the same name.

        Args:
            spec: the spec.
            provenance: its origin; a loaded plugin of that package keeps its own, extended by ``given``.
        """
        plugin = self.plugins.setdefault(provenance.package, Plugin(provenance))
        given = [name for name in plugin.provenance.given.split(_GIVEN) if name]
        listed = _GIVEN.join(dict.fromkeys([*given, provenance.given]))
        plugin.provenance = replace(plugin.provenance, given=listed)
        entry = Entry(provenance.package, spec, plugin.provenance.distribution, plugin.provenance.version)
        self.registry.replace(entry)
        return entry

    def get_hooks(self, package: str) -> object:
        """Return the object with the hooks of a loaded plugin, or None."""
        return self._manager.get_plugin(package)

    def _load(self, candidate: Candidate, plugin: Plugin) -> None:
        hooks = candidate.load()
        plugin.provenance = replace(plugin.provenance, api=declared_version(hooks, candidate.distribution))
        plugin.hooks = check_hooks(self._manager, hooks)
        self._manager.register(hooks, candidate.package)
        for kind, plural in KINDS.items():
            if f"register_{plural}" in plugin.hooks:
                self._call(f"register_{plural}", candidate.package, register=self._make_register(kind, candidate))

    def _drop(self, plugin: Plugin) -> None:
        """Remove everything that a plugin has registered."""
        package = plugin.provenance.package
        self.registry.remove_package(package)
        if self._manager.has_plugin(package):
            self._manager.unregister(name=package)

    def _make_register(self, kind: str, candidate: Candidate) -> Callable[[Spec], None]:
        wanted = SPEC_TYPES[kind]

        def register(spec: Spec) -> None:
            if not isinstance(spec, wanted):
                raise TypeError(f"register_{KINDS[kind]} takes a {wanted.__name__}, not {short_repr(spec, 80)}")
            self.registry.add(Entry(candidate.package, spec, candidate.distribution, candidate.version))

        return register

    def _call(self, hook: str, package: str, **arguments: Any) -> None:
        """Call one hook of one plugin."""
        others = [plugin for name, plugin in self._manager.list_name_plugin() if name != package]
        started = time.perf_counter()
        try:
            self._manager.subset_hook_caller(hook, others)(**arguments)
        finally:
            if _is_set("SEQGEN_TRACE_PLUGINS"):
                sys.stderr.write(f"seqgen: trace: {package} {hook} {1000 * (time.perf_counter() - started):.2f} ms\n")

    def implementing(self, hook: str) -> list[str]:
        """Return the packages in use that implement a hook, in load order."""
        return [name for name, plugin in self.plugins.items() if hook in plugin.hooks and not plugin.problem]

    def call_hook(self, hook: str, argument: Callable[[str], Mapping[str, Any]]) -> None:
        """Call a hook plugin by plugin; one that raises is reported and this hook of it is not called again.

        Args:
            hook: the name of the hook.
            argument: returns the arguments for a package.
        """
        for package in self.implementing(hook):
            try:
                self._call(hook, package, **argument(package))
            except KeyboardInterrupt:  # from the user, not from the plugin
                raise
            except BaseException as error:
                reraise_signal()
                self.plugins[package].hooks.remove(hook)
                self.add_note(package, f"its {hook} is not used: {_explained(error, package)}")

    def add_note(self, package: str, line: str) -> None:
        """Warn that a part of a plugin is not used, and remember it."""
        plugin = self.plugins[package]
        plugin.notes.append(line)
        self.report_problem(f"plugin {plugin.provenance}: {line}")

    def emit(self, hook: str, **arguments: Any) -> None:
        """Call an event hook of every plugin, guarded; settings of torch that it changes are restored afterwards."""
        with torch_kept():
            self.call_hook(hook, lambda package: arguments)

    def describe_failure(self, error: BaseException) -> str:
        """Return a line on an exception raised in a plugin's code, with its location; "" if it was raised elsewhere."""
        found = find_plugin_frame(error, self.plugins.keys() - {CORE})
        if found is None:
            return ""
        package, where = found
        return f"plugin {self.plugins[package].provenance} failed {where}: {type(error).__name__}: {one_line(error)}"

    def failed(self) -> list[str]:
        """Return the names of the plugins that could not be loaded."""
        return [name for name, plugin in self.plugins.items() if plugin.problem]

    def find(self, kind: str, name: str) -> Entry:
        """Return a registered part, of a kind that plugins declare in their metadata too.

        Raises:
            UnknownName: no loaded plugin offers it; the line names an installed one that would.
        """
        return self.registry.get(kind, name, lambda: missing_plugin(KINDS[kind], name) or self.failed_hint())

    def failed_hint(self) -> str:
        """Return a hint on plugins that did not load, or files without a part, for unknown names; "" if none."""
        if len(self.plugins) == 1:
            return "no plugin is loaded"
        if broken := ", ".join(self.failed()):
            return f"not loaded: {broken} (see seqgen plugins)"
        owners = {entry.package for kind in KINDS for entry in self.registry.entries(kind)}
        files = (plugin.provenance for name, plugin in self.plugins.items() if name not in owners)
        empty = ", ".join(of.distribution for of in files if of.sha256 is not None and not of.given)
        return f"no part is registered by {empty}" if empty else ""


def _is_set(variable: str) -> bool:
    """Return whether an environment variable is set; "", 0, false, no and off count as unset."""
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


# -- errors in one line


def _explained(error: BaseException, package: str) -> str:
    """Return an exception in one line, with the line of the plugin's code that raised it.

    Args:
        error: the exception.
        package: the plugin's import package; if none of its code was running, the last line outside seqgen is shown.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [item for item in frames if str(item[0].f_globals.get("__name__", "")).partition(".")[0] == package]
    others = [item for item in frames if not _is_ours(item[0].f_code.co_filename)]
    place = ""
    if found := own or others:
        frame, line = found[-1]
        place = f" ({frame.f_code.co_filename}:{line})"
    return f"{type(error).__name__}: {one_line(error)}{place}"


def _is_ours(filename: str) -> bool:
    """Return whether a file belongs to the plugin loader or to Python's import system."""
    return "seqgen/plugins/" in filename.replace("\\", "/") or filename.startswith("<frozen ")


def failure_reason(error: BaseException) -> str:
    """Return the reason of a failure in one line, for a command that continues with the next part.

    Raises:
        BaseException: the error itself, if it says nothing of a part: a signal, or a disk that refuses.
    """
    reraise_signal()
    if isinstance(error, KeyboardInterrupt | Interrupted | DiskError):
        raise error
    if isinstance(error, SeqgenError):
        return one_line(error, limit=500)
    text = f"{type(error).__name__}: {one_line(error)}"
    notes = [note.removeprefix(FAULT_NOTE) for note in getattr(error, "__notes__", ()) if note.startswith(FAULT_NOTE)]
    return f"{notes[0]}: {text}" if notes else text
