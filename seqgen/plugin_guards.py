"""Where what a plugin made enters core: it has the members it must have, and what it returns is looked at.

A mistake of a plugin is then told where it is made, with the plugin's name, and not somewhere in core later on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

from seqgen.errors import FAULT_NOTE, PluginError, SeqgenError
from seqgen.protocols import Verdict

MEMBERS: Mapping[str, tuple[str, ...]] = {
    "tokenizer": ("fit", "n_symbols", "encode", "encode_many", "decode", "decode_many", "to_json", "from_json"),
    "validator": ("validate",),
    "metric": ("__call__",),
    "renderer": ("__call__",),
    "processor": ("__call__",),
    "augmentation": ("__call__",),
    "report": ("write",),
}
"""What a part must have, by kind; of a tokenizer, its class. Corpora, cells and models are looked at where they run."""


def check_members(kind: str, part: Any, label: str) -> None:
    """Refuse a part that lacks what its kind has.

    Args:
        kind: "cell", "validator", ...
        part: what ``load`` gave; of a tokenizer, the class itself.
        label: how messages call it.

    Raises:
        PluginError: something is missing.
    """
    missing = [name for name in MEMBERS.get(kind, ()) if not hasattr(part, name)]
    if kind == "tokenizer" and not isinstance(part, type):
        raise PluginError(f"{label}: load gave {part!r:.60}, not a class with {', '.join(MEMBERS[kind])}")
    if missing == ["__call__"]:
        raise PluginError(f"{label}: load gave {part!r:.60}, which cannot be called")
    if missing:
        named = f"the class {part.__name__}" if isinstance(part, type) else f"{part!r:.60}"
        raise PluginError(f"{label}: load gave {named}, which has no {', '.join(missing)}")


def defined_at(owner: Any, name: str = "") -> str:
    """Where an author wrote a method or a function, as messages end: " (decode, line 12 of mycell.py)".

    Args:
        owner: an object or a class that has the method; without a name, a function or a class.
        name: of the method.

    Returns:
        "" for what is not written in Python, or is core's own.
    """
    found: Any = owner
    if name:
        found = inspect.getattr_static(owner if isinstance(owner, type) else type(owner), name, None)
    elif isinstance(owner, type):
        found = inspect.getattr_static(owner, "__init__", None)
    elif not hasattr(owner, "__code__"):
        found = inspect.getattr_static(type(owner), "__call__", None)
    found = getattr(found, "fget", None) or getattr(found, "__func__", found)
    code = getattr(inspect.unwrap(found) if callable(found) else found, "__code__", None)
    module = str(getattr(found, "__module__", ""))
    if code is None or module.partition(".")[0] == "seqgen":
        return ""
    return f" ({code.co_name}, line {code.co_firstlineno} of {Path(code.co_filename).name})"


_MODULES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "cell": (("input_size", "hidden_size", "output_size"), "call super().__init__(input_size, hidden_size) first"),
    "model": (("initial_state",), "call super().__init__() first"),
}
"""What a torch module of a plugin must have, by kind, and how it is initialised."""


def check_module(kind: str, module: Any, label: str) -> None:
    """Refuse a torch module that is not initialised as one, or lacks what its kind has.

    Args:
        kind: "cell" or "model".
        module: what ``load`` gave.
        label: how messages call it.

    Raises:
        PluginError: it, or a module within it, has not called ``super().__init__``; or something is missing.
    """
    members, way = _MODULES[kind]
    missing = [name for name in members if not hasattr(module, name)]
    if (bare := _uninitialised(module)) is not None or (missing and kind == "cell"):
        named = type(module if bare is None else bare).__name__
        raise PluginError(f"{label}: {named}.__init__ does not call that of the class above it: {way}")
    if missing:
        raise PluginError(f"{label}: the class {type(module).__name__} has no {', '.join(missing)}")


def _uninitialised(module: Any) -> Any:
    """The first module, of one and all within it, whose ``__init__`` has not reached that of torch.nn.Module."""
    if "training" not in vars(module):  # which torch.nn.Module sets first
        return module
    bare = (_uninitialised(child) for child in module.children())
    return next((found for found in bare if found is not None), None)


def hint_on_init(kind: str, error: BaseException) -> str:
    """The way out for an exception that a torch module raises since it is not initialised as one yet; else ""."""
    if kind not in _MODULES or not isinstance(error, AttributeError):
        return ""
    too_early = "before Module.__init__() call" in str(error)  # as torch says where something is set
    known = vars(error.obj) if hasattr(error.obj, "__dict__") else {}
    bare = hasattr(type(error.obj), "register_forward_hook") and "training" not in known
    return f"; {_MODULES[kind][1]}" if too_early or bare else ""


class Guarded:
    """A part of a plugin with all that it has, whose results are looked at.

    Args:
        part: the part.
        label: how messages call it.
    """

    result: ClassVar[str] = ""
    """What it must return, for the message."""

    def __init__(self, part: Any, label: str) -> None:
        self.__wrapped__, self._label = part, label  # the name by which inspect.signature looks through it

    def __getattr__(self, name: str) -> Any:
        """Everything else is the part's own."""
        if name == "__wrapped__":  # it is being copied or unpickled, and has nothing yet
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the part returns for these arguments, if it is what it must be.

        Raises:
            PluginError: it is not.
        """
        try:
            result = self.__wrapped__(*arguments, **named)
        except (Exception, SystemExit) as error:
            if not isinstance(error, SeqgenError):
                # The part's own code may not have been reached: it may take other arguments.
                error.add_note(f"{FAULT_NOTE}{self._label} fails")
            raise
        if not self.accepts(result, *arguments):
            raise PluginError(f"{self._label} gave {result!r:.80}, not {self.result}{defined_at(self.__wrapped__)}")
        return result

    def accepts(self, result: Any, *arguments: Any) -> bool:
        """Whether a result is what it must be."""
        raise NotImplementedError


def describe_part(part: Any) -> str:
    """Return how messages call a part: by its kind, name and plugin if it has a guard, else by the name of its code."""
    if isinstance(part, Guarded):
        return str(part._label)
    return f"decoding step {getattr(part, '__qualname__', type(part).__qualname__).replace('.<locals>', '')}"


class GuardedValidator(Guarded):
    """A validator: verdicts."""

    def validate(self, text: str) -> Verdict:
        """The verdict on a text.

        Raises:
            PluginError: it is none.
        """
        verdict = self.__wrapped__.validate(text)
        if not isinstance(verdict, Verdict) or not isinstance(verdict.canonical, str | None):
            place = defined_at(self.__wrapped__, "validate")
            raise PluginError(
                f"{self._label}: validate({text!r:.60}) gave {verdict!r:.80}, not a seqgen.Verdict{place}"
            )
        return verdict


class GuardedMetric(Guarded):
    """A metric: named numbers."""

    result = "a mapping of names to numbers"

    def accepts(self, result: Any, *arguments: Any) -> bool:
        """Names to numbers."""
        return isinstance(result, Mapping) and all(
            isinstance(name, str) and isinstance(value, Real) for name, value in result.items()
        )


class GuardedRenderer(Guarded):
    """A renderer: what rich can print, and files as bytes."""

    result = "something rich can print"

    def accepts(self, result: Any, *arguments: Any) -> bool:
        """As rich says."""
        from rich.protocol import is_renderable

        return is_renderable(result)

    def draw(self, texts: Sequence[str], suffix: str) -> bytes:
        """The bytes of a file; only one that has ``suffixes`` can.

        Raises:
            PluginError: it is something else.
        """
        drawn = self.__wrapped__.draw(texts, suffix)
        if not isinstance(drawn, bytes):
            place = defined_at(self.__wrapped__, "draw")
            raise PluginError(f"{self._label}: draw gave {drawn!r:.80}, not the bytes of a {suffix} file{place}")
        return drawn


class GuardedProcessor(Guarded):
    """A decoding step: logits of the same shape and kind."""

    result = "logits of the shape and type it was given"

    def accepts(self, result: Any, *arguments: Any) -> bool:
        """Whether it is a tensor like the logits, on their device."""
        given = arguments[0]
        return all(getattr(result, name, None) == getattr(given, name) for name in ("shape", "dtype", "device"))


class GuardedAugmentation(Guarded):
    """An augmentation: texts."""

    result = "a text that is not empty"

    def accepts(self, result: Any, *arguments: Any) -> bool:
        """A text; of an empty one, which no record is, any."""
        return isinstance(result, str) and bool(result or not arguments[0])


class GuardedReport(Guarded):
    """A report: the files that it has written."""

    def write(self, evaluation: Any, path: Path) -> list[Path]:
        """Write the report and return its files.

        Raises:
            PluginError: the result is not a list of files that exist.
        """
        files = self.__wrapped__.write(evaluation, path)
        paths = isinstance(files, list | tuple) and files and all(isinstance(file, str | Path) for file in files)
        if not paths or not all(Path(file).exists() for file in files):
            place = defined_at(self.__wrapped__, "write")
            raise PluginError(f"{self._label}: write returned {files!r:.80}, not a list of the files written{place}")
        return [Path(file) for file in files]


GUARDS: Mapping[str, Callable[[Any, str], Any]] = {
    "validator": GuardedValidator,
    "metric": GuardedMetric,
    "renderer": GuardedRenderer,
    "processor": GuardedProcessor,
    "augmentation": GuardedAugmentation,
    "report": GuardedReport,
}
"""The guard of each kind whose results are looked at at every call; those of the others are where core uses them."""
