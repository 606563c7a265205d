"""The registry of parts: by kind and name, with the plugin that registered each and the members that it must have."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from seqgen.errors import (
    FAULT_NOTE,
    LESS_MEMORY,
    PluginError,
    SeqgenError,
    UnknownName,
    UsageError,
    close_names,
    is_out_of_memory,
    one_line,
    short_repr,
)
from seqgen.plugin_guards import GUARDS, GuardedAutomaton
from seqgen.signals import annotate_interrupt, reraise_signal
from seqgen.specs import DomainSpec, LoadableSpec, ReaderSpec, Spec, are_suffixes, load_reference
from seqgen.torch_modules import hint_on_init

if TYPE_CHECKING:
    from pydantic import BaseModel

    from seqgen.protocols import TextAutomaton

OfKind = TypeVar("OfKind", bound=Spec)


@dataclass(frozen=True)
class Entry:
    """A spec and the plugin that registered it.

    Attributes:
        package: the import package of the plugin.
        spec: the registered spec.
        distribution: the distribution of the plugin, or its file; "" if irrelevant.
        version: the version of the distribution.
    """

    package: str
    spec: Spec
    distribution: str = ""
    version: str = ""

    @property
    def qualified(self) -> str:
        """Return ``package:name``, which is unambiguous and stored in files."""
        return f"{self.package}:{self.spec.name}"

    @property
    def label(self) -> str:
        """Return the part for messages: "cell vanilla"."""
        return f"{self.spec.kind} {self.spec.name}"

    @property
    def owner(self) -> str:
        """Return the plugin for messages: "mycell (seqgen-mycell 0.1)"."""
        return f"{self.package} ({self.distribution} {self.version})" if self.distribution else self.package

    @property
    def full_label(self) -> str:
        """Return the part and the plugin for messages: "cell vanilla of mycell (seqgen-mycell 0.1)"."""
        return f"{self.label} of {self.owner}"

    def spec_as(self, kind: type[OfKind]) -> OfKind:
        """Return the spec of a part whose kind is known."""
        assert isinstance(self.spec, kind)
        return self.spec

    def load(self) -> Any:
        """Return the object that the spec's ``load`` names.

        Raises:
            PluginError: it cannot be imported, or is a tokenizer class that lacks a required member or has a wrong one.
        """
        found = self._guarded(self.spec_as(LoadableSpec).resolve)
        if self.spec.kind == "tokenizer":
            self._guarded(lambda: check_members("tokenizer", found, self.full_label))
        return found

    @functools.cached_property
    def options_model(self) -> type[BaseModel]:
        """The options as a pydantic model.

        Raises:
            PluginError: they cannot be imported or derived.
        """
        from seqgen.config import options_model

        spec = self.spec_as(LoadableSpec)
        if spec.options is None:
            model = self._guarded(lambda: options_model(spec.signature_source()))
        else:
            model = self._guarded(lambda: load_reference(spec.options))
        if not (isinstance(model, type) and hasattr(model, "model_validate")):
            raise PluginError(f"{self.full_label}: options is {model!r}, not a pydantic model")
        return model

    @property
    def recommended(self) -> Mapping[str, Mapping[str, Any]]:
        """The options that the part recommends for each part of a run; only corpora, cells and models do.

        Raises:
            PluginError: training has no such setting, or it does not take the value.
        """
        from seqgen.config import TrainSettings, accepts

        found: Mapping[str, Mapping[str, Any]] = getattr(self.spec, "recommended", {})
        for name, value in found.get("train", {}).items():
            if not accepts(TrainSettings, name, value):
                line = f"recommends train.{name}={short_repr(value)}, which training does not take"
                raise PluginError(f"{self.full_label} {line}")
        return found

    def option_names(self) -> list[str]:
        """Return the names of the options.

        Raises:
            PluginError: they cannot be imported or derived.
        """
        return list(self.options_model.model_fields)

    def options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validate option values and fill in defaults.

        Raises:
            BadOption: an option is unknown, or a value is invalid.
        """
        from seqgen.config import build_options

        return build_options(self.options_model, values, self.label)

    def build(self, values: Mapping[str, Any], *arguments: Any) -> Any:
        """Return ``load(*arguments, **options)``.

        Args:
            values: the options, to be validated and completed with defaults.
            arguments: positional arguments, for kinds that take them.

        Raises:
            BadOption: an option is unknown, or a value is invalid.
            UsageError: it does not fit into memory.
            PluginError: the plugin's code failed, or its result lacks a required member or has a wrong one.
        """
        target, options = self.load(), self.options(values)

        def construct() -> Any:
            try:
                return target(*arguments, **options)
            except (MemoryError, RuntimeError) as error:
                if is_out_of_memory(error):
                    raise UsageError(
                        f"cannot build {self.label} with {options}: it does not fit into memory; make it smaller"
                    ) from None
                raise

        built = self._guarded(construct)
        self._guarded(lambda: check_members(self.spec.kind, built, self.full_label))
        return built

    def use(self, values: Mapping[str, Any]) -> Any:
        """Return what ``build`` returns, wrapped in a guard that checks its results."""
        return self._guarded(lambda: GUARDS[self.spec.kind](self.build(values), self.full_label))

    def automaton(self) -> TextAutomaton | None:
        """Return the automaton of a domain's texts; None if it has none.

        Raises:
            PluginError: the plugin's code failed, or its result lacks a required member.
        """
        named = self.spec_as(DomainSpec).automaton
        if named is None:
            return None
        built = self._guarded(lambda: load_reference(named)())
        label = f"the automaton of {self.full_label}"
        self._guarded(lambda: check_members("automaton", built, label))
        return GuardedAutomaton(built, label)

    def matches(self, name: str, start: bytes) -> bool:
        """Return whether a reader reads a file with this name and these first bytes.

        Raises:
            PluginError: the plugin's code failed.
        """
        named = self.spec_as(ReaderSpec).matches
        if named is None:
            return False
        return bool(self._guarded(lambda: load_reference(named)(name, start)))

    def _guarded(self, function: Any) -> Any:
        try:
            with annotate_interrupt(f"{self.full_label} was being loaded"):
                return function()
        except SeqgenError:
            raise
        except (Exception, SystemExit) as error:
            reraise_signal()
            if is_out_of_memory(error):
                raise UsageError(f"cannot load {self.label}: memory ran out ({one_line(error)})") from error
            line = f"{self.full_label} is broken: {type(error).__name__}: {one_line(error)}"
            line += hint_on_init(self.spec.kind, error)
            load = str(getattr(self.spec, "load", ""))
            if isinstance(error, ModuleNotFoundError) and load.startswith(f"{error.name}:"):
                line += f"; its spec has load={load!r}"
                line += f", but the module is {self.package!r}" if self.package.isidentifier() else ""
            raise PluginError(line) from error


class Registry:
    """All specs by kind and name."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], Entry] = {}  # by kind, name and package

    def add(self, entry: Entry) -> None:
        """Add an entry; a name that two plugins register is an error only when it is used.

        Raises:
            ValueError: the same plugin registered the name before.
        """
        if (entry.spec.kind, entry.spec.name, entry.package) in self._entries:
            raise ValueError(f"the {entry.label} is already registered")
        self.replace(entry)

    def replace(self, entry: Entry) -> None:
        """Add an entry, replacing one of the same name and plugin."""
        self._entries[entry.spec.kind, entry.spec.name, entry.package] = entry

    def remove_package(self, package: str) -> None:
        """Remove everything that a plugin registered."""
        self._entries = {key: entry for key, entry in self._entries.items() if entry.package != package}

    def entries(self, kind: str) -> list[Entry]:
        """Return all entries of a kind, sorted by name, then by package."""
        return [self._entries[key] for key in sorted(key for key in self._entries if key[0] == kind)]

    def names(self, kind: str) -> list[str]:
        """Return the names that ``get`` accepts: bare, or ``package:name`` where several plugins use a name."""
        found = self.entries(kind)
        times = Counter(entry.spec.name for entry in found)
        return [entry.spec.name if times[entry.spec.name] == 1 else entry.qualified for entry in found]

    def has(self, kind: str, name: str) -> bool:
        """Return whether any plugin registered a name."""
        return bool(self._named(kind, name))

    def _named(self, kind: str, name: str) -> list[Entry]:
        package, _, bare = name.rpartition(":")
        found = [entry for key, entry in self._entries.items() if key[:2] == (kind, bare)]
        return [entry for entry in found if package in ("", entry.package)]

    def get(self, kind: str, name: str, hint: Callable[[], str] = str, near: Entry | None = None) -> Entry:
        """Return the entry of a name.

        Args:
            kind: "cell", "corpus", ...
            name: a bare name, or ``package:name``.
            hint: returns a further hint for the message; called for a name that is not found.
            near: the entry that refers to the name, None for the user; entries of its plugin, or else of its
                distribution, take precedence over others of the same name.

        Raises:
            UnknownName: no plugin registered it.
            UsageError: several plugins registered the bare name.
        """
        found = self._named(kind, name)
        if not found:
            names = self.names(kind)
            of_alias = name.rpartition(":")[2].casefold()
            meant = [e.spec.name for e in self.entries(kind) if of_alias in map(str.casefold, e.spec.aliases)]
            if meant:
                raise UnknownName(kind, name, names, "", meant)
            if name.endswith(".py"):
                raise UnknownName(
                    kind, name, [], f"load a file by --plugin {name}, and give the name that it registers"
                )
            further = hint()
            if not further and not close_names(name, names):
                further = "load one from a file with --plugin FILE.py"
            raise UnknownName(kind, name, names, further)
        for same in ("package", "distribution"):
            if len(found) > 1 and near is not None:
                found = [entry for entry in found if getattr(entry, same) == getattr(near, same)] or found
        if len(found) > 1:
            choices = " or ".join(sorted(entry.qualified for entry in found))
            raise UsageError(f"several plugins have a {kind} {name!r}; write {choices}")
        return found[0]


@contextlib.contextmanager
def attribute_errors(entry: Entry, problem: str) -> Iterator[None]:
    """Add a note to exceptions inside the context that names the part at fault.

    Args:
        entry: the part.
        problem: the clause that follows its name in the message: "fails on its first batch".

    Raises:
        UsageError: it does not fit into memory.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise UsageError(f"{entry.label} does not fit into memory: {LESS_MEMORY} ({one_line(error)})") from error
        if not isinstance(error, SeqgenError | OSError):
            error.add_note(f"{FAULT_NOTE}{entry.full_label} {problem}")
        raise


MEMBERS: Mapping[str, tuple[str, ...]] = {
    "tokenizer": ("fit", "n_symbols", "encode", "encode_many", "decode", "decode_many", "to_json", "from_json"),
    "validator": ("validate",),
    "metric": ("__call__",),
    "renderer": ("__call__",),
    "processor": ("__call__",),
    "augmentation": ("__call__",),
    "report": ("write",),
    "exporter": ("export",),
    "executor": ("__enter__", "__exit__"),
    "reader": ("read",),
    "automaton": ("start", "advance", "accepts"),
}
"""Required members by kind (of the class, for tokenizers). Corpora, cells and models are checked where they run."""


_OPTIONAL: Mapping[str, tuple[str, ...]] = {"tokenizer": ("fit_parts", "join", "symbol_bytes", "corpus_warning")}
"""Methods that a part of a kind may have."""
_VALUES = ("n_symbols", "start")
"""The members that are values; all others are called."""
_WRITERS = ("renderer", "report", "exporter")
"""The kinds whose parts may have ``suffixes``, those of the files that they write."""


def check_members(kind: str, part: Any, label: str) -> None:
    """Refuse a part that lacks a member its kind requires, or has one that cannot be used.

    Args:
        kind: "cell", "validator", ...
        part: the object that ``load`` returned; for a tokenizer, the class.
        label: its name in messages.

    Raises:
        PluginError: a member is missing, a method cannot be called, or ``suffixes`` are not suffixes of files.
    """
    required = MEMBERS.get(kind, ())
    missing = [name for name in required if not hasattr(part, name)]
    if kind == "tokenizer" and not isinstance(part, type):
        raise PluginError(f"{label}: load returned {short_repr(part)}, not a class with {', '.join(required)}")
    if missing == ["__call__"]:
        raise PluginError(f"{label}: load returned {short_repr(part)}, which cannot be called")
    if missing:
        named = f"the class {part.__name__}" if isinstance(part, type) else short_repr(part)
        raise PluginError(f"{label}: load returned {named}, which has no {', '.join(missing)}")
    for name in (*required, *(name for name in _OPTIONAL.get(kind, ()) if hasattr(part, name))):
        if name not in _VALUES and not callable(member := getattr(part, name)):
            raise PluginError(f"{label}: {name} is {short_repr(member)}, not a method")
    suffixes = (getattr(part, "suffixes", None) or ()) if kind in _WRITERS else ()
    if not are_suffixes(suffixes):
        raise PluginError(
            f"{label}: suffixes is {short_repr(suffixes)}, not a tuple of lower-case suffixes like ('.html', '.htm')"
        )
    if kind == "renderer" and suffixes and not callable(draw := getattr(part, "draw", None)):
        raise PluginError(f"{label}: it has suffixes, but draw is {short_repr(draw)}, not a method")
