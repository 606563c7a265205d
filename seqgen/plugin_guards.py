"""Guards around the parts of plugins, which check what they return.

A mistake of a plugin is thus reported where it is made, with the name of the plugin, and not later inside core.
"""

from __future__ import annotations

import inspect
import math
import re
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, TypeGuard

from seqgen.errors import FAULT_NOTE, PluginError, SeqgenError, one_line, short_repr
from seqgen.protocols import Exported, TextAutomaton, Verdict


def defined_at(owner: Any, name: str = "") -> str:
    """Return where a method or function is defined, for the end of a message: " (decode, line 12 of mycell.py)".

    Args:
        owner: the object or class that has the method; without ``name``, a function, callable or class.
        name: the name of the method.

    Returns:
        The clause, or "" for code of core or not written in Python.
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


# -- the rules, for the guards and the conformance kit alike: each returns what is wrong, or ""

_NAME_CHARS, _TITLE_CHARS = 80, 200


def is_line(text: object, limit: int = _NAME_CHARS) -> bool:
    """Return whether something is a line of 1 to ``limit`` printable characters, the first and last not blank."""
    return isinstance(text, str) and 0 < len(text) <= limit and text.isprintable() and text == text.strip()


def is_truth(value: object) -> bool:
    """Return whether something is True or False, of Python or NumPy, or 1 or 0."""
    return type(value).__name__ in ("bool", "bool_") or (isinstance(value, int) and value in (0, 1))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def value_fault(name: object, value: object) -> str:
    """Return what is wrong with a named number; NaN and infinity are some."""
    if not is_line(name):
        return f"the name {short_repr(name)} is not one line of 1 to {_NAME_CHARS} printable characters"
    fit = isinstance(value, Real)
    if isinstance(value, int):
        fit = abs(value) < sys.float_info.max
    return "" if fit else f"the value of {name!r} is {short_repr(value)}, not a number"


def metric_fault(values: object) -> str:
    """Return what is wrong with the result of a metric, which maps names to numbers, or to None."""
    if not isinstance(values, Mapping):
        return f"it returned {short_repr(values)}, not numbers by name"
    faults = (value_fault(name, 0 if value is None else value) for name, value in values.items())
    return next(filter(None, faults), "")


def verdict_fault(verdict: object) -> str:
    """Return what is wrong with the result of a validator, as it follows "returned"."""
    if not isinstance(verdict, Verdict):
        return f"{short_repr(verdict, 80)}, not a seqgen.Verdict"
    if not is_truth(verdict.ok):
        return f"a seqgen.Verdict with ok={short_repr(verdict.ok)}, which is neither True nor False"
    if not isinstance(verdict.reason, str) and not verdict.ok:
        return f"a seqgen.Verdict with reason={short_repr(verdict.reason)}, which is not a string"
    if not isinstance(verdict.canonical, str | None):
        return f"a seqgen.Verdict with canonical={short_repr(verdict.canonical)}, which is neither a string nor None"
    return ""


def published_fault(metric: object) -> str:
    """Return what is wrong with the published values of a metric, which map models to numbers by name."""
    published, on = getattr(metric, "published", None), getattr(metric, "published_on", None)
    if not isinstance(on, str | tuple | list | set | frozenset | None):
        return f"published_on is {short_repr(on)}, not a tuple of names of corpora"
    if not isinstance(published, Mapping | None):
        return f"published is {short_repr(published)}, not a mapping of models to values by name"
    for model, row in (published or {}).items():
        if not is_line(model, _TITLE_CHARS):
            return f"published has the model {short_repr(model)}, which is not one line of printable text"
        if not isinstance(row, Mapping) or not row:
            return f"published[{model!r}] is {short_repr(row)}, not values by name"
        if fault := metric_fault(row):
            return f"in published[{model!r}] {fault}"
    return ""


def takes_training(metric: Callable[..., Any]) -> bool:
    """Return whether a metric has a parameter ``training``."""
    try:
        return "training" in inspect.signature(metric).parameters
    except (ValueError, TypeError):  # of what is not written in Python nothing is known
        return False


def signature_fault(metric: Callable[..., Any]) -> str:
    """Return what is wrong with the parameters of a metric, which is called as ``evaluate`` does."""
    try:
        signature = inspect.signature(metric)
    except (ValueError, TypeError):
        return ""
    try:
        signature.bind((), (), **({"training": ()} if "training" in signature.parameters else {}))
    except TypeError:
        named = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
        has = signature.replace(parameters=named, return_annotation=inspect.Signature.empty)
        needed = "(samples, reference) or (samples, reference, training)"
        return f"its signature is {short_repr(has, 120).removeprefix('<Signature ').removesuffix('>')}, not {needed}"
    return ""


# -- the guards


class Guarded:
    """A wrapper around a part of a plugin that checks its results and forwards everything else.

    Args:
        part: the part.
        label: its name in messages.
    """

    result: ClassVar[str] = ""
    """The required result, for messages."""

    def __init__(self, part: Any, label: str) -> None:
        self.__wrapped__, self._label = part, label  # __wrapped__ is followed by inspect.signature

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the part."""
        if name == "__wrapped__":  # while being copied or unpickled
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return the result of the part, after checking it.

        Raises:
            PluginError: the result is invalid.
        """
        try:
            result = self.__wrapped__(*arguments, **named)
        except (Exception, SystemExit) as error:
            if not isinstance(error, SeqgenError):
                # The part's own code may not have been reached: it may take other arguments.
                error.add_note(f"{FAULT_NOTE}{self._label} fails")
            raise
        if fault := self.fault(result, *arguments):
            raise PluginError(f"{self._label}{fault}{defined_at(self.__wrapped__)}")
        return result

    def fault(self, result: Any, *arguments: Any) -> str:
        """Return what is wrong with a result, as it follows the name of the part; "" for a valid one."""
        return "" if self.accepts(result, *arguments) else f" returned {short_repr(result, 80)}, not {self.result}"

    def accepts(self, result: Any, *arguments: Any) -> bool:
        """Return whether a result is valid."""
        raise NotImplementedError


def _mistake(guard: Guarded | GuardedAutomaton, sentence: str) -> PluginError:
    """Return the error of a part; the sentence starts with the name of the method at fault."""
    place = defined_at(guard.__wrapped__, re.split(r"\W", sentence)[0])
    return PluginError(f"{guard._label}: {sentence}{place}")


def describe_part(part: Any) -> str:
    """Return a part's name for messages: kind, name and plugin of a guarded one, else the name of its code."""
    if isinstance(part, Guarded):
        return str(part._label)
    return f"decoding step {getattr(part, '__qualname__', type(part).__qualname__).replace('.<locals>', '')}"


class GuardedValidator(Guarded):
    """A validator whose verdicts are checked."""

    def validate(self, text: str) -> Verdict:
        """Return the verdict on a text.

        Raises:
            PluginError: the result is not a Verdict, or a field of it has the wrong type.
        """
        verdict: Verdict = self.__wrapped__.validate(text)
        if fault := verdict_fault(verdict):
            raise _mistake(self, f"validate({short_repr(text)}) returned {fault}")
        return verdict


class GuardedMetric(Guarded):
    """A metric whose values are checked to be named numbers, or None.

    Raises:
        PluginError: its signature or its published values are wrong.
    """

    def __init__(self, part: Any, label: str) -> None:
        super().__init__(part, label)
        if fault := signature_fault(part):
            raise PluginError(f"{label}: {fault}{defined_at(part)}")
        if fault := published_fault(part):
            raise PluginError(f"{label}: {fault}")

    def fault(self, result: Any, *arguments: Any) -> str:
        """Return what is wrong with a result, as it follows the name of the part; "" for a valid one."""
        found = metric_fault(result)
        return found and f": {found}"


class GuardedRenderer(Guarded):
    """A renderer whose output is checked to be printable by rich, and whose files to be bytes."""

    result = "something rich can print"

    def accepts(self, result: Any, *arguments: Any) -> bool:
        """Return whether rich can print the result."""
        from rich.protocol import is_renderable

        return is_renderable(result)

    def draw(self, texts: Sequence[str], suffix: str) -> bytes:
        """Return the content of a file; only for renderers with ``suffixes``.

        Raises:
            PluginError: the result is not bytes.
        """
        drawn = self.__wrapped__.draw(texts, suffix)
        if not isinstance(drawn, bytes):
            raise _mistake(self, f"draw returned {short_repr(drawn, 80)}, not the bytes of a {suffix} file")
        return drawn


class GuardedProcessor(Guarded):
    """A logits processor whose output is checked to have the shape, dtype and device of its input."""

    result = "logits of the same shape, dtype and device"

    def accepts(self, result: Any, *arguments: Any) -> bool:
        """Return whether the result has the shape, dtype and device of the logits."""
        given = arguments[0]
        return all(getattr(result, name, None) == getattr(given, name) for name in ("shape", "dtype", "device"))


class GuardedAugmentation(Guarded):
    """An augmentation whose output is checked to be a text."""

    result = "a non-empty string"

    def accepts(self, result: Any, *arguments: Any) -> bool:
        """Return whether the result is a string, and not empty unless the text is."""
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
        if not paths:
            raise _mistake(self, f"write returned {short_repr(files, 80)}, not a list of the files written")
        if missing := [Path(file).name for file in files if not Path(file).exists()]:
            raise _mistake(self, f"write names {short_repr(missing[0])}, but has not written it")
        return [Path(file) for file in files]


class GuardedExporter(Guarded):
    """An exporter: the files that it has written, and the comparison with the run."""

    def export(self, run: Any, path: Path) -> Exported:
        """Export the run and return the result.

        Raises:
            PluginError: the result is not an Exported, or names files that do not exist or lie elsewhere.
        """
        found = self.__wrapped__.export(run, path)
        if not isinstance(found, Exported):
            raise _mistake(self, f"export returned {short_repr(found, 80)}, not a seqgen.Exported")
        for name, value in (("files", found.files), ("notes", found.notes)):
            if not isinstance(value, list | tuple):
                raise _mistake(self, f"export gives {name}={short_repr(value)}, not a list")
        if not found.files:
            raise _mistake(self, "export names no files")
        for file in map(Path, found.files):
            if not file.is_relative_to(path):
                raise _mistake(self, f"export names {short_repr(file.name)}, which is not at its path")
            if not file.exists():
                raise _mistake(self, f"export names {short_repr(file.name)}, but has not written it")
        difference, tolerance = found.difference, found.tolerance
        if not _is_number(difference) or difference < 0:  # NaN and infinity are beyond any tolerance
            raise _mistake(self, f"export gives difference={short_repr(difference)}, not a number from 0 on")
        if not _is_number(tolerance) or not 0 <= tolerance < math.inf:
            raise _mistake(self, f"export gives tolerance={short_repr(tolerance)}, not a finite number from 0 on")
        return found


class GuardedAutomaton:
    """The automaton of a domain, whose calls are checked.

    Args:
        automaton: of a plugin.
        label: its name in messages.

    Raises:
        PluginError: its first state is not hashable.
    """

    def __init__(self, automaton: TextAutomaton, label: str) -> None:
        self.__wrapped__, self._label = automaton, label
        self.start = automaton.start
        try:
            hash(self.start)
        except Exception as error:
            raise PluginError(f"{label}: start={short_repr(self.start)} cannot be hashed: {one_line(error)}") from error

    def advance(self, state: Any, character: str) -> Hashable | None:
        """Return the state after a character, or None.

        Raises:
            PluginError: it fails, or the state is not hashable.
        """
        try:
            after = self.__wrapped__.advance(state, character)
            hash(after)
        except Exception as error:
            raise self._failed(f"advance({short_repr(state)}, {character!r})", error) from error
        return after

    def accepts(self, state: Any) -> bool:
        """Return whether a text may end in a state.

        Raises:
            PluginError: it fails, or the answer is neither True nor False.
        """
        try:
            found: Any = self.__wrapped__.accepts(state)
        except Exception as error:
            raise self._failed(f"accepts({short_repr(state)})", error) from error
        if not is_truth(found):  # a generator or a text would be true
            raise _mistake(self, f"accepts({short_repr(state)}) returned {short_repr(found)}, neither True nor False")
        return bool(found)

    def _failed(self, call: str, error: Exception) -> PluginError:
        return _mistake(self, f"{call} fails with {type(error).__name__}: {one_line(error)}")


GUARDS: Mapping[str, Callable[[Any, str], Any]] = {
    "validator": GuardedValidator,
    "metric": GuardedMetric,
    "renderer": GuardedRenderer,
    "processor": GuardedProcessor,
    "augmentation": GuardedAugmentation,
    "report": GuardedReport,
    "exporter": GuardedExporter,
}
"""The guard of each kind whose results are checked on every call; other kinds are checked where core uses them."""
