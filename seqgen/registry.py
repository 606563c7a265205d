"""What plugins handed in, by kind and name, with the package that each came from."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.errors import PluginError, SeqgenError, UnknownName, UsageError, is_out_of_memory
from seqgen.plugin_guards import GUARDS, check_members, hint_on_init
from seqgen.signals import annotate_interrupt, reraise_signal
from seqgen.specs import KINDS, LoadableSpec, Spec, load_reference

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Entry:
    """A spec and the plugin that offers it.

    Attributes:
        package: the import package of the plugin.
        spec: what it handed in.
        distribution: what brought the plugin, or its file; "" if that does not matter.
        version: of the distribution.
    """

    package: str
    spec: Spec
    distribution: str = ""
    version: str = ""

    @property
    def qualified(self) -> str:
        """``package:name``, which always works and is what files hold."""
        return f"{self.package}:{self.spec.name}"

    @property
    def label(self) -> str:
        """How messages call it: "cell vanilla"."""
        return f"{self.spec.kind} {self.spec.name}"

    @property
    def owner(self) -> str:
        """The plugin as messages call it: "mycell (seqgen-mycell 0.1)"."""
        return f"{self.package} ({self.distribution} {self.version})" if self.distribution else self.package

    @property
    def full_label(self) -> str:
        """The part and the plugin: "cell vanilla of mycell (seqgen-mycell 0.1)"."""
        return f"{self.label} of {self.owner}"

    def load(self) -> Any:
        """What the spec's ``load`` names.

        Raises:
            PluginError: it cannot be imported, or is a tokenizer that lacks what one must have.
        """
        assert isinstance(self.spec, LoadableSpec)
        found = self._guarded(self.spec.resolve)
        if self.spec.kind == "tokenizer":
            check_members("tokenizer", found, self.full_label)
        return found

    def options_model(self) -> type[BaseModel]:
        """The options as a pydantic model.

        Raises:
            PluginError: they cannot be imported or derived.
        """
        from seqgen.config import options_model

        spec = self.spec
        assert isinstance(spec, LoadableSpec)
        if spec.options is None:
            model = self._guarded(lambda: options_model(spec.signature_source()))
        else:
            named = spec.options
            model = self._guarded(lambda: load_reference(named)) if isinstance(named, str) else named
        if not (isinstance(model, type) and hasattr(model, "model_validate")):
            raise PluginError(f"{self.full_label}: options is {model!r}, not a pydantic model")
        return model

    def options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Check option values and fill in the defaults.

        Raises:
            BadOption: an unknown option or an impossible value.
        """
        from seqgen.config import build_options

        return build_options(self.options_model(), values, self.label)

    def build(self, values: Mapping[str, Any], *arguments: Any) -> Any:
        """What ``load(*arguments, **options)`` gives.

        Args:
            values: options, checked and completed with the defaults.
            arguments: what comes before them, for kinds that need it.

        Raises:
            BadOption: an unknown option or an impossible value.
            UsageError: it does not fit into memory.
            PluginError: the plugin's code failed, or what it gave lacks what its kind must have.
        """
        target, options = self.load(), self.options(values)

        def construct() -> Any:
            try:
                return target(*arguments, **options)
            except (MemoryError, RuntimeError) as error:
                if is_out_of_memory(error):
                    raise UsageError(f"{self.label} does not fit into memory with {options}; make it smaller") from None
                raise

        built = self._guarded(construct)
        check_members(self.spec.kind, built, self.full_label)
        return built

    def use(self, values: Mapping[str, Any]) -> Any:
        """As ``build``, with a guard around it that looks at what it returns."""
        return GUARDS[self.spec.kind](self.build(values), self.full_label)

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
                line += f"; its spec says load={load!r}, and the module is {self.package!r}"
            raise PluginError(line) from error


class Registry:
    """All specs by kind and name."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, list[Entry]]] = {kind: {} for kind in KINDS}

    def add(self, entry: Entry) -> None:
        """Take a spec in; a name that two plugins offer is an error only when it is used.

        Raises:
            ValueError: the plugin itself offered it before.
        """
        same = self._entries[entry.spec.kind].setdefault(entry.spec.name, [])
        if any(other.package == entry.package for other in same):
            raise ValueError(f"the {entry.label} was registered already")
        same.append(entry)

    def replace(self, entry: Entry) -> None:
        """Take a spec in, in the place of one of the same name that the plugin offered before."""
        same = self._entries[entry.spec.kind].setdefault(entry.spec.name, [])
        same[:] = [other for other in same if other.package != entry.package] + [entry]

    def remove_package(self, package: str) -> None:
        """Forget everything that a plugin handed in."""
        for names in self._entries.values():
            for name in list(names):
                names[name] = [entry for entry in names[name] if entry.package != package]
                if not names[name]:
                    del names[name]

    def entries(self, kind: str) -> list[Entry]:
        """Everything of a kind, by name."""
        return list(self._sorted(kind))

    def _sorted(self, kind: str) -> Iterator[Entry]:
        for _, entries in sorted(self._entries[kind].items()):
            yield from sorted(entries, key=lambda entry: entry.package)

    def names(self, kind: str) -> list[str]:
        """The names that ``get`` accepts: bare where one plugin offers it, else ``package:name``."""
        return [
            name if len(entries) == 1 else entry.qualified
            for name, entries in sorted(self._entries[kind].items())
            for entry in entries
        ]

    def has(self, kind: str, name: str) -> bool:
        """Whether some plugin offers this name."""
        package, _, bare = name.rpartition(":")
        return any(not package or entry.package == package for entry in self._entries[kind].get(bare, ()))

    def _also_called(self, kind: str, alias: str) -> list[str]:
        """The names of what has an alias, whatever its case."""
        return [e.spec.name for e in self.entries(kind) if alias.casefold() in map(str.casefold, e.spec.aliases)]

    def get(self, kind: str, name: str, hint: str = "", near: Entry | None = None) -> Entry:
        """The spec of a name.

        Args:
            kind: "cell", "corpus", ...
            name: a bare name, or ``package:name``.
            hint: a further way out, for the message.
            near: who names it, if that is not the user: then what comes with the same plugin, or else with the same
                distribution, wins over strangers of the same name.

        Raises:
            UnknownName: nobody offers it.
            UsageError: several plugins offer the bare name.
        """
        package, _, bare = name.rpartition(":")
        found = [entry for entry in self._entries[kind].get(bare, ()) if not package or entry.package == package]
        if not found:
            names = self.names(kind)
            if meant := self._also_called(kind, bare):
                raise UnknownName(kind, name, names, "", meant)
            if not hint and not difflib.get_close_matches(name, names):
                hint = "one in a file of yours is there with --plugin FILE.py"
            raise UnknownName(kind, name, names, hint)
        for same in ("package", "distribution"):
            if len(found) > 1 and near is not None:
                found = [entry for entry in found if getattr(entry, same) == getattr(near, same)] or found
        if len(found) > 1:
            choices = " or ".join(sorted(entry.qualified for entry in found))
            raise UsageError(f"several plugins offer the {kind} {name!r}: write {choices}")
        return found[0]


def find_plugin_frame(error: BaseException, packages: Container[str]) -> tuple[str, str] | None:
    """Where an exception came up last in the code of some packages: the package, and the function and line."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in packages:
            found = package, f"in {frame.f_code.co_name}, line {line} of {Path(frame.f_code.co_filename).name}"
    return found


def short_repr(value: object, limit: int = 60) -> str:
    """What a plugin gave, for a message; its ``repr`` may fail."""
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(error: BaseException, limit: int = 200) -> str:
    """What an exception says, in one line."""
    try:
        text = " ".join(str(error).split()) or "no message"
    except Exception:
        text = "a message that cannot be shown"
    return text if len(text) <= limit else text[: limit - 1] + "…"
