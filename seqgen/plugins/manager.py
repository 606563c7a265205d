"""Loading plugins, each behind a guard: a broken one costs a line, never a command."""

from __future__ import annotations

import contextlib
import functools
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pluggy

from seqgen import __version__, hookspecs
from seqgen.errors import PluginError
from seqgen.plugins import api
from seqgen.plugins.builtin import Builtin
from seqgen.plugins.discovery import Candidate, installed
from seqgen.plugins.explain import explain
from seqgen.plugins.hooks import check_hooks
from seqgen.plugins.session import env_flag, trace
from seqgen.registry import Entry, Registry, find_plugin_frame, one_line
from seqgen.signals import annotate_interrupt, reraise_signal
from seqgen.specs import KINDS, SPEC_TYPES, Spec

CORE = "seqgen"
_GIVEN = "; "  # between what was given from Python


@dataclass(frozen=True)
class Provenance:
    """Where a part of a run came from, as run.json holds it.

    Attributes:
        package: the import package.
        distribution: the distribution, or a file's name.
        version: its version.
        sha256: of the file, for a one-file plugin.
        api: the version of the hooks it is written for; that of this program if it does not say.
        given: what of it was given from Python, and must be again: "MyCell, MyModel"; "" if it can be loaded.
    """

    package: str
    distribution: str
    version: str
    sha256: str | None = None
    api: str = api.CURRENT
    given: str = ""

    def __str__(self) -> str:
        """As messages call it: "mycell (seqgen-mycell 0.1)"."""
        return f"{self.package} ({self.distribution} {self.version})"


@dataclass
class Plugin:
    """A plugin that was found, and how loading it went.

    Attributes:
        provenance: what it is.
        hooks: the hooks it implements.
        load_s: seconds that importing and registering took.
        problem: why it is not used, or "".
        notes: what of it is not used, and why.
        heavy: whether it imported torch, which makes every command slow to start.
    """

    provenance: Provenance
    hooks: list[str] = field(default_factory=list)
    load_s: float = 0.0
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    heavy: bool = False


class Plugins:
    """All plugins of a program: what they handed in, and their event hooks.

    With ``SEQGEN_PLUGINS_STRICT=1`` a problem of a plugin is raised as a PluginError; with ``SEQGEN_TRACE_PLUGINS=1``
    stderr has a line for each hook that is called.

    Args:
        warn: is told, in one line, of each problem.

    Attributes:
        registry: what they handed in.
        plugins: those found, by package.
        duplicates: those that came second with the name of another.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.registry = Registry()
        self.plugins: dict[str, Plugin] = {}
        self.duplicates: list[Plugin] = []
        self._warn = warn
        self._manager = pluggy.PluginManager("seqgen")
        self._manager.add_hookspecs(hookspecs)
        self.load([Candidate(CORE, "seqgen-lm", __version__, Builtin)])

    @functools.cached_property
    def installed(self) -> frozenset[str]:
        """The packages of all plugins that are installed, loaded or not; looking for them takes a while."""
        return frozenset(candidate.package for candidate in installed())

    def report_problem(self, line: str) -> None:
        """Tell of a plugin's problem.

        Raises:
            PluginError: ``SEQGEN_PLUGINS_STRICT`` asks for it.
        """
        if env_flag("SEQGEN_PLUGINS_STRICT"):
            raise PluginError(line)
        self._warn(line)

    def load(self, candidates: Iterable[Candidate], *, needed: bool = False) -> None:
        """Load plugins; whatever one of them does wrong is told in one line, and the others go on.

        Args:
            candidates: the plugins.
            needed: whether somebody has asked for these.

        Raises:
            PluginError: one that is needed cannot be used.
        """
        for candidate in candidates:
            of = candidate.package, candidate.distribution, candidate.version, candidate.sha256
            provenance = Provenance(*of, given=candidate.given)
            if candidate.package in self.plugins:
                holder = self.plugins[candidate.package].provenance
                taken = f"the name {candidate.package!r} is taken already, by {holder.distribution} {holder.version}"
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
            except KeyboardInterrupt:  # the user's wish, whatever code is running
                raise
            except BaseException as error:
                reraise_signal()
                self._drop(plugin)
                plugin.problem = explain(error, candidate.package)
                line = f"plugin {provenance} is not used: {plugin.problem}"
                if needed:
                    raise PluginError(line) from error
                self.report_problem(line)
            plugin.load_s = time.perf_counter() - started
            plugin.heavy = "torch" in sys.modules and not had_torch
            if not plugin.problem and (line := api.newer_hint(plugin.provenance.api)):
                self.report_problem(f"plugin {provenance} {line}")

    def register_spec(self, spec: Spec, provenance: Provenance) -> Entry:
        """Register a spec given from Python, in the place of one of the same name.

        Args:
            spec: the spec.
            provenance: where it comes from; a plugin of that package keeps its own, and takes over what was given.
        """
        plugin = self.plugins.setdefault(provenance.package, Plugin(provenance))
        given = [name for name in plugin.provenance.given.split(_GIVEN) if name]
        listed = _GIVEN.join(dict.fromkeys([*given, provenance.given]))
        plugin.provenance = replace(plugin.provenance, given=listed)
        entry = Entry(provenance.package, spec, plugin.provenance.distribution, plugin.provenance.version)
        self.registry.replace(entry)
        return entry

    def get_hooks(self, package: str) -> object:
        """The object with the hooks of a loaded plugin, or None."""
        return self._manager.get_plugin(package)

    def _load(self, candidate: Candidate, plugin: Plugin) -> None:
        hooks = candidate.load()
        plugin.provenance = replace(plugin.provenance, api=api.declared_version(hooks, candidate.distribution))
        plugin.hooks = check_hooks(self._manager, hooks)
        self._manager.register(hooks, candidate.package)
        for kind, plural in KINDS.items():
            if f"register_{plural}" in plugin.hooks:
                self._call(f"register_{plural}", candidate.package, register=self._taker(kind, candidate))

    def _drop(self, plugin: Plugin) -> None:
        """Forget all that a plugin handed in."""
        package = plugin.provenance.package
        self.registry.remove_package(package)
        if self._manager.has_plugin(package):
            self._manager.unregister(name=package)

    def _taker(self, kind: str, candidate: Candidate) -> Callable[[Spec], None]:
        wanted = next(spec_type for spec_type in SPEC_TYPES if spec_type.kind == kind)

        def register(spec: Spec) -> None:
            if not isinstance(spec, wanted):
                raise TypeError(f"register_{KINDS[kind]} takes a {wanted.__name__}, not {spec!r:.80}")
            self.registry.add(Entry(candidate.package, spec, candidate.distribution, candidate.version))

        return register

    def _call(self, hook: str, package: str, **arguments: Any) -> None:
        """Call one hook of one plugin."""
        others = [plugin for name, plugin in self._manager.list_name_plugin() if name != package]
        started = time.perf_counter()
        try:
            self._manager.subset_hook_caller(hook, others)(**arguments)
        finally:
            if env_flag("SEQGEN_TRACE_PLUGINS"):
                trace(f"{package} {hook} {1000 * (time.perf_counter() - started):.2f} ms")

    def implementing(self, hook: str) -> list[str]:
        """The packages that implement a hook and are in use, in the order they were loaded."""
        return [name for name, plugin in self.plugins.items() if hook in plugin.hooks and not plugin.problem]

    def call_hook(self, hook: str, argument: Callable[[str], Mapping[str, Any]]) -> None:
        """Call a hook plugin by plugin; one that raises costs a line, and this hook of it is not called again.

        Args:
            hook: the hook's name.
            argument: gives the arguments for a package.
        """
        for package in self.implementing(hook):
            try:
                self._call(hook, package, **argument(package))
            except KeyboardInterrupt:  # the user's wish, whatever code is running
                raise
            except BaseException as error:
                reraise_signal()
                self.plugins[package].hooks.remove(hook)
                self.add_note(package, f"its {hook} is not used: {explain(error, package)}")

    def add_note(self, package: str, line: str) -> None:
        """Tell of something of a plugin that is not used, and keep it."""
        plugin = self.plugins[package]
        plugin.notes.append(line)
        self.report_problem(f"plugin {plugin.provenance}: {line}")

    def emit(self, hook: str, **arguments: Any) -> None:
        """Tell every plugin of an event, guarded."""
        self.call_hook(hook, lambda package: arguments)

    def describe_failure(self, error: BaseException) -> str:
        """What is said of an exception that came up in a plugin's code, where in it too; "" when it is none's."""
        found = find_plugin_frame(error, self.plugins.keys() - {CORE})
        if found is None:
            return ""
        package, where = found
        return f"plugin {self.plugins[package].provenance} failed {where}: {type(error).__name__}: {one_line(error)}"

    def failed(self) -> list[str]:
        """The names of plugins that are not used."""
        return [name for name, plugin in self.plugins.items() if plugin.problem]

    def failed_hint(self) -> str:
        """For messages about unknown names: which plugins did not load."""
        if len(self.plugins) == 1:
            return "no plugin is loaded"
        broken = ", ".join(self.failed())
        return f"not loaded: {broken} (see seqgen plugins)" if broken else ""
