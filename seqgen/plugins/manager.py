"""Loading plugins, each behind a guard: a broken one costs a line, never a command."""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from seqgen import __version__, hookspecs
from seqgen.errors import did_you_mean
from seqgen.plugins.builtin import Builtin
from seqgen.plugins.discovery import Candidate
from seqgen.registry import Entry, Registry, one_line
from seqgen.specs import KINDS, SPEC_TYPES, Spec

CORE = "seqgen"


@dataclass(frozen=True)
class Provenance:
    """Where a part of a run came from, as run.json holds it.

    Attributes:
        package: the import package.
        distribution: the distribution, or a file's name.
        version: its version.
        sha256: of the file, for a one-file plugin.
    """

    package: str
    distribution: str
    version: str
    sha256: str | None = None


@dataclass
class Plugin:
    """A plugin that was found, and how loading it went.

    Attributes:
        provenance: what it is.
        hooks: the hooks it implements.
        load_s: seconds that importing and registering took.
        problem: why it is not used, or "".
    """

    provenance: Provenance
    hooks: list[str] = field(default_factory=list)
    load_s: float = 0.0
    problem: str = ""


class Plugins:
    """All plugins of a program: what they handed in, and their event hooks.

    Args:
        warn: is told, in one line, of each problem.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.registry = Registry()
        self.plugins: dict[str, Plugin] = {}
        self._warn = warn
        self._manager = pluggy.PluginManager("seqgen")
        self._manager.add_hookspecs(hookspecs)
        self.load([Candidate(CORE, "seqgen-lm", __version__, Builtin)])

    def load(self, candidates: Iterable[Candidate]) -> None:
        """Load plugins; whatever one of them does wrong is told in one line, and the others go on."""
        for candidate in candidates:
            where = f"{candidate.package} ({candidate.distribution} {candidate.version})"
            if candidate.package in self.plugins:
                self._warn(f"plugin {where} is not loaded: the name {candidate.package!r} is taken already")
                continue
            provenance = Provenance(candidate.package, candidate.distribution, candidate.version, candidate.sha256)
            plugin = self.plugins[candidate.package] = Plugin(provenance)
            started = time.perf_counter()
            try:
                with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings(action="ignore"):
                    self._load(candidate, plugin)
            except KeyboardInterrupt:  # the user's wish, whatever code is running
                raise
            except BaseException as error:
                self.registry.remove_package(candidate.package)
                if self._manager.has_plugin(candidate.package):
                    self._manager.unregister(name=candidate.package)
                plugin.problem = explain(error)
                self._warn(f"plugin {where} is not used: {plugin.problem}")
            plugin.load_s = time.perf_counter() - started

    def _load(self, candidate: Candidate, plugin: Plugin) -> None:
        hooks = candidate.load()
        plugin.hooks = self._check_hooks(hooks)
        self._manager.register(hooks, candidate.package)
        for kind, plural in KINDS.items():
            self._call(f"register_{plural}", candidate.package, register=self._taker(kind, candidate.package))

    def _check_hooks(self, hooks: object) -> list[str]:
        """The hooks an object implements, refusing what pluggy would only find out later, or never."""
        known = [name for name in vars(hookspecs) if name.startswith(("register_", "on_"))]
        found = []
        for name in dir(hooks):
            marked = self._manager.parse_hookimpl_opts(hooks, name)
            if marked is None:
                continue
            spelt = marked["specname"] or name
            if spelt not in known and not marked["optionalhook"]:
                raise LookupError(f"there is no hook {spelt!r}{did_you_mean(spelt, known)}")
            found.append(spelt)
        if not found:
            raise LookupError("it has no hooks: mark functions with @seqgen.hookimpl")
        return sorted(found)

    def _taker(self, kind: str, package: str) -> Callable[[Spec], None]:
        wanted = next(spec_type for spec_type in SPEC_TYPES if spec_type.kind == kind)

        def register(spec: Spec) -> None:
            if not isinstance(spec, wanted):
                raise TypeError(f"register_{KINDS[kind]} takes a {wanted.__name__}, not {spec!r:.80}")
            self.registry.add(Entry(package, spec))

        return register

    def _call(self, hook: str, package: str, **arguments: Any) -> None:
        """Call one hook of one plugin."""
        others = [plugin for name, plugin in self._manager.list_name_plugin() if name != package]
        self._manager.subset_hook_caller(hook, others)(**arguments)

    def loaded(self, hook: str) -> list[str]:
        """The packages that implement a hook and are in use, in the order they were loaded."""
        return [name for name, plugin in self.plugins.items() if hook in plugin.hooks and not plugin.problem]

    def call_each(self, hook: str, argument: Callable[[str], Mapping[str, Any]]) -> None:
        """Call a hook plugin by plugin; one that raises costs a line, and this hook of it is not called again.

        Args:
            hook: the hook's name.
            argument: gives the arguments for a package.
        """
        for package in self.loaded(hook):
            try:
                self._call(hook, package, **argument(package))
            except KeyboardInterrupt:  # the user's wish, whatever code is running
                raise
            except BaseException as error:
                self.plugins[package].hooks.remove(hook)
                self._warn(f"plugin {package}: its {hook} is not used: {explain(error)}")

    def event(self, hook: str, **arguments: Any) -> None:
        """Tell every plugin of an event, guarded."""
        self.call_each(hook, lambda package: arguments)

    def guilty(self, error: BaseException) -> str:
        """The plugin in whose code an exception came up, with its version, or "" when it is none's."""
        guilty = ""
        for frame, _ in traceback.walk_tb(error.__traceback__):
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if package in self.plugins and package != CORE:
                provenance = self.plugins[package].provenance
                guilty = f"{package} ({provenance.distribution} {provenance.version})"
        return guilty

    def broken_hint(self) -> str:
        """For messages about unknown names: which plugins did not load."""
        if len(self.plugins) == 1:
            return "no plugin is loaded"
        broken = [name for name, plugin in self.plugins.items() if plugin.problem]
        return f"not loaded: {', '.join(broken)} (see seqgen plugins)" if broken else ""


def explain(error: BaseException) -> str:
    """An exception in one line, with the place where it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{CORE}/plugins/" not in frame.filename.replace("\\", "/")]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {one_line(error)}{place}"
