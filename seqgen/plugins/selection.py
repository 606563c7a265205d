"""Selection of the plugins and parts for a call of the Python API, of which some are passed as Python objects."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from seqgen.errors import PluginError, SeqgenError, UnknownName, UsageError, short_repr
from seqgen.plugins.code import unwrapped
from seqgen.plugins.discovery import DIGITS, Candidate, entry_point_candidates, file_candidate
from seqgen.plugins.manager import Plugins, Provenance
from seqgen.registry import MEMBERS, Entry
from seqgen.specs import PARTS, SPEC_TYPES, CellSpec, LoadableSpec, ModelSpec, Spec, TokenizerSpec

if TYPE_CHECKING:
    from pydantic import BaseModel

    from seqgen.config import OptionRange


@functools.cache
def default_plugins() -> Plugins:
    """Return the installed plugins, loaded once; problems are Python warnings."""
    plugins = Plugins(warn=_warn)
    plugins.load(entry_point_candidates(plugins.report_problem))
    return plugins


def _warn(line: str) -> None:
    warnings.warn(line, RuntimeWarning, stacklevel=2)


_active: list[Plugins] = []  # not a context variable, so that threads of a command see it too


@contextlib.contextmanager
def activate_plugins(plugins: Plugins) -> Iterator[None]:
    """Make these plugins, such as those of a command, the default inside the context, for code that names none."""
    _active.append(plugins)
    try:
        yield
    finally:
        _active.pop()


PluginsArgument = Plugins | Iterable[object] | str | Path | ModuleType | Spec | type | None
"""None for all installed plugins, or one or several objects for ``load_objects`` to add to them."""


def choose_plugins(plugins: PluginsArgument = None) -> Plugins:
    """Return the plugins for a call: the installed ones, and those that are passed.

    Raises:
        UsageError: an object that is passed is not a plugin.
    """
    if plugins is None:
        return _active[-1] if _active else default_plugins()
    if isinstance(plugins, Plugins):
        return plugins
    several = isinstance(plugins, Iterable) and not isinstance(plugins, str | type)
    chosen = Plugins(warn=_warn)
    chosen.load(entry_point_candidates(chosen.report_problem))
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
    return list(_options_model(kind, name, plugins).model_fields)


def option_ranges(kind: str, name: str = "", *, plugins: PluginsArgument = None) -> dict[str, OptionRange]:
    """Return the values that each option is declared to have, by name; takes and raises what ``option_names`` does."""
    from seqgen.config import option_range

    fields = _options_model(kind, name, plugins).model_fields
    return {option: option_range(field) for option, field in fields.items()}


def _options_model(kind: str, name: str, plugins: PluginsArgument) -> type[BaseModel]:
    if kind == "train":
        from seqgen.config import TrainSettings

        return TrainSettings
    return choose_plugins(plugins).registry.get(kind, name).options_model


def hint_on_keyword(keyword: str, names: Mapping[str, str | None], plugins: Plugins) -> str:
    """Return how to give an option that is taken for a keyword of ``train``; "" if no part has such an option.

    Args:
        keyword: the name.
        names: the names of the parts of the run, or None, by kind.
        plugins: the registered parts.
    """
    for kind, name in names.items():
        for one in (name or "").split(",") if kind in PARTS else ():
            with contextlib.suppress(SeqgenError):  # there is no such part, or it is broken
                entry = plugins.registry.get(kind, one)
                if keyword in entry.option_names():
                    return f'; it is an option of the {entry.label}: write options={{"{kind}.{keyword}": ...}}'
    return ""


def choose_parts(plugins: PluginsArgument, parts: Mapping[str, object]) -> tuple[Plugins, dict[str, str | None]]:
    """Return the plugins of a call, and the names of its parts, of which some are given as classes or specs.

    Args:
        plugins: as for ``choose_plugins``.
        parts: names, classes, specs or None, by kind; several cells are a stack, one a layer.

    Raises:
        UsageError: an object that is passed is not a plugin, or not such a part.
    """
    given = {kind: part for kind, part in parts.items() if part is not None and not isinstance(part, str)}
    chosen = choose_plugins([] if plugins is None and given else plugins)
    names = {kind: part for kind, part in parts.items() if part is None or isinstance(part, str)}

    def register(kind: str, part: object) -> str:
        return part if isinstance(part, str) else register_object(chosen, kind, part)

    for kind, part in given.items():
        stacked = kind == "cell" and isinstance(part, list | tuple)
        names[kind] = ",".join(register(kind, one) for one in part) if stacked else register(kind, part)  # type: ignore[attr-defined]
    return chosen, names


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


# -- plugins and parts passed as Python objects

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MAIN = "__main__"


def load_objects(plugins: Plugins, given: Iterable[object]) -> None:
    """Load plugins passed as Python objects.

    Args:
        plugins: the plugins to add them to.
        given: paths of files; modules; objects or classes with hooks; specs; classes of cells, models or tokenizers.

    Raises:
        UsageError: an object is none of these, or a file is missing.
        PluginError: a plugin cannot be used.
    """
    for item in given:
        if isinstance(item, str | Path):
            plugins.load([file_candidate(Path(item))], needed=True)
        elif isinstance(item, Spec):
            register_object(plugins, item.kind, item)
        elif isinstance(item, ModuleType):
            if plugins.get_hooks(item.__name__) is not item:
                given_as = "" if _is_one_file(item) else item.__name__
                plugins.load([_candidate(item, item.__name__, given_as)], needed=True)
        elif has_hooks(item):
            of = item if isinstance(item, type) else type(item)
            name = f"{_package(of.__module__)}.{of.__name__}"
            plugins.load([_candidate(item, name, of.__name__ if item is of else f"{of.__name__}()")], needed=True)
        elif isinstance(item, type) and (kind := _kind_of(item)):
            register_object(plugins, kind, item)
        else:
            known = "a file, a module, an object or a class with hooks, a spec, or a cell class"
            raise UsageError(f"cannot use {_shown(item)} as a plugin: it has no seqgen hook; pass {known}")


def register_object(plugins: Plugins, kind: str, part: object) -> str:
    """Return the registry name of a part passed as a class or a spec, registering it if necessary.

    A class that an installed plugin or its own module registers keeps that name. Any other is registered under the name
    of its module and its own name in lower case with hyphens: ``mycell:leaky-units``.

    Args:
        plugins: the plugins to search, and to add it to.
        kind: "cell", "model", "tokenizer", ...
        part: the class or the spec.

    Raises:
        UsageError: it is neither a class nor a spec, or of another kind.
    """
    if isinstance(part, type) and (registered := _registered(plugins, kind, part)):
        return registered
    spec = _spec_of(kind, part)
    load = getattr(spec, "load", "")
    module = load.partition(":")[0] if isinstance(load, str) else str(unwrapped(load).__module__)
    given = part.__name__ if isinstance(part, type) else f"seqgen.{type(spec).__name__}(name={spec.name!r}, ...)"
    return plugins.register_spec(spec, _provenance(module or "given", given)).qualified


def has_hooks(item: object) -> bool:
    """Return whether an object, a class or a module has a function marked with ``@seqgen.hookimpl``."""
    return any(hasattr(getattr(item, name, None), "seqgen_impl") for name in dir(item))


def _registered(plugins: Plugins, kind: str, part: type) -> str | None:
    """Return the name under which a loaded plugin, or the module of a class, registers the class; None if none does."""
    module = sys.modules.get(part.__module__)
    if module is not None and part.__module__ != _MAIN and has_hooks(module):
        load_objects(plugins, [module])
    top = part.__module__.partition(".")[0]
    for entry in plugins.registry.entries(kind):
        spec = entry.spec
        assert isinstance(spec, LoadableSpec)
        if spec.load in (part, f"{part.__module__}:{part.__qualname__}"):
            return entry.qualified
        if entry.package == top and isinstance(spec.load, str) and spec.resolve() is part:
            return entry.qualified
    return None


def _spec_of(kind: str, part: object) -> Spec:
    """Return the spec of a part, derived from its class if necessary.

    Raises:
        UsageError: no spec can be derived.
    """
    wanted = SPEC_TYPES[kind]
    if isinstance(part, wanted):
        return part
    problem = f"cannot use {_shown(part)} as a {kind}"
    if isinstance(part, Spec):
        raise UsageError(f"{problem}: it is the spec of a {part.kind}")
    if not isinstance(part, type):
        raise UsageError(f"{problem}: pass a name, a class or a seqgen.{wanted.__name__}")
    if _kind_of(part) != kind:
        bases = {
            "cell": "seqgen.Cell",
            "tokenizer": "seqgen.Tokenizer",
            "model": "torch.nn.Module that is a whole model",
        }
        raise UsageError(f"{problem}: it is not a {bases.get(kind, wanted.__name__)}; pass a seqgen.{wanted.__name__}")
    name = _WORDS.sub("-", part.__name__.strip("_")).lower()
    said = (part.__doc__ or "").strip().partition("\n")[0]
    summary = said or f"the class {part.__name__}"
    try:
        if issubclass(wanted, ModelSpec):
            takes_cells = "make_cell" in inspect.signature(part).parameters
            return ModelSpec(name=name, summary=summary, load=part, uses_cell=takes_cells)
        spec_type = CellSpec if kind == "cell" else TokenizerSpec
        return spec_type(name=name, summary=summary, load=part)
    except ValueError as error:
        raise UsageError(f"{problem}: {error}; pass a seqgen.{wanted.__name__} with a name") from None


def _kind_of(part: type) -> str:
    """Return "cell", "tokenizer" or "model" by the bases and members of a class; else ""."""
    from torch import nn

    from seqgen.cells import Cell

    if issubclass(part, Cell):
        return "cell"
    if issubclass(part, nn.Module):
        return "model" if hasattr(part, "initial_state") else ""
    return "tokenizer" if all(hasattr(part, name) for name in MEMBERS["tokenizer"]) else ""


def _shown(item: object) -> str:
    return f"the class {item.__module__}.{item.__qualname__}" if isinstance(item, type) else f"{short_repr(item)}"


def _package(module: str) -> str:
    """Return the name of a module; for the main script, the stem of its file."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).stem if module == _MAIN and file else module


def _is_one_file(module: ModuleType) -> bool:
    """Return whether ``--plugin FILE`` would load a module under the same name."""
    file = getattr(module, "__file__", None)
    return file is not None and not hasattr(module, "__path__") and Path(file).stem == module.__name__


def _candidate(hooks: Any, package: str, given: str) -> Candidate:
    if isinstance(hooks, ModuleType):
        known = _provenance(hooks.__name__, given, hooks)
    else:
        known = _provenance((hooks if isinstance(hooks, type) else type(hooks)).__module__, given)
    load = hooks if isinstance(hooks, type) else lambda: hooks
    return Candidate(package, known.distribution, known.version, load, known.sha256, given)


def _provenance(name: str, given: str, module: ModuleType | None = None) -> Provenance:
    """Return the origin of what a module defines: its file, if it has one."""
    file = getattr(module or sys.modules.get(name), "__file__", None)
    if file is None or not Path(file).is_file():
        return Provenance(_package(name), "Python", "0", given=given)
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return Provenance(_package(name), Path(file).name, digest[:DIGITS], digest, given=given)
