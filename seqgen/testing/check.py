"""A single check of a spec, and its subject. Needs neither torch nor pytest."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard, TypeVar, cast

from seqgen.errors import MissingExtra, find_plugin_frame, one_line
from seqgen.process_state import process_kept
from seqgen.registry import Entry
from seqgen.signals import reraise_signal
from seqgen.specs import Spec

Found = TypeVar("Found")

TEXTS = ("Ada", "Grace Hopper", "a", "", "naïve café", "C[C@H](N)C(=O)O", "<eos>[pad]", "日本語", "e\u0301", "👩‍🔬")
"""Texts that have broken tokenizers: empty, accented, decomposed, bracketed, outside the basic plane."""

_SEED = 0


@dataclass(frozen=True)
class Package:
    """A plugin as a whole, for checks that belong to none of its specs.

    Attributes:
        name: its import package; the file's stem for a plugin in one file.
        specs: its specs.
        file: the file of a plugin in one file.
        commands: builds an app of the commands it registers; raises a PluginError on failure.
        trackers: returns the names of the trackers it offers; raises a PluginError on failure.
        events: calls its hooks with the events of a run; returns their names; raises a PluginError on failure.
    """

    name: str
    specs: tuple[Spec, ...]
    file: Path | None = None
    commands: Callable[[], Any] | None = None
    trackers: Callable[[], list[str]] | None = None
    events: Callable[[], list[str]] | None = None
    kind: str = "package"


@dataclass(frozen=True)
class Check:
    """One check of one spec; call it to run it.

    Attributes:
        spec: the spec.
        name: name of the check, such as "causality".
        run: the check; raises AssertionError or returns a note.
        foundation: whether other checks of the spec fail as a consequence when this one does.
    """

    spec: Spec | Package
    name: str
    run: Callable[[], str | None]
    foundation: bool = False

    @property
    def what(self) -> str:
        """The spec in words: "cell onegate"."""
        return f"{self.spec.kind} {self.spec.name}"

    @property
    def id(self) -> str:
        """The id in reports and expected failures: "cell-onegate-causality"."""
        return f"{self.spec.kind}-{self.spec.name}-{self.name}"

    def __call__(self) -> str:
        """Run the check with fixed random numbers; settings of the process that it changes are restored afterwards.

        Returns:
            A note, such as what could not be checked on this machine; "" if there is none.

        Raises:
            AssertionError: the contract is violated; the message says how, or what the plugin's code raised.
            MissingExtra: a dependency of the plugin is not installed, so nothing could be checked.
        """
        with _undisturbed(self.spec):
            try:
                return self.run() or ""
            except MissingExtra:
                raise
            except AssertionError as error:
                error.args = (f"{self.what}: {error}",)
                raise
            except (Exception, SystemExit) as error:
                reraise_signal()
                kind = f"{type(error).__name__}{_location(error, self.spec)}"
                raise AssertionError(f"{self.what}: {kind}: {one_line(error, 400)}{_hint(error)}") from error


def is_one_line(text: object) -> TypeGuard[str]:
    """Return whether something is a text of at most one line."""
    return isinstance(text, str) and len(text.splitlines()) <= 1


def _hint(error: BaseException) -> str:
    """Return what to do about errors of torch that do not say what is behind them."""
    said = str(error)
    if isinstance(error, RuntimeError) and "dtype" in said and ("double" in said or "Double" in said):
        return (
            "; what a step makes has the dtype of its inputs, float64 in most checks: leave .float() and .double() out"
        )
    if "does not require grad and does not have a grad_fn" in said:
        return "; no gradient leaves the step: detach, .data and numpy cut it off"
    if "modified by an inplace operation" in said:
        return "; the step changes a tensor that a gradient needs, such as its state or its weights: make a new one"
    return ""


def _location(error: BaseException, spec: Spec | Package) -> str:
    """Return where in the plugin's code an exception was raised; "" if that was elsewhere."""
    load = getattr(spec, "load", spec.name)
    package = (load if isinstance(load, str) else str(load.__module__)).partition(":")[0].partition(".")[0]
    for one in (error.__cause__, error):  # core may have wrapped it in an error of its own
        if one is not None and (found := find_plugin_frame(one, (package,))) is not None:
            return f" {found[1]}"
    return ""


class Waits(Exception):
    """A check does not run, because one that it rests on has failed."""


class Foundations:
    """The failed checks that others of their part rest on; those would only fail as a consequence.

    Attributes:
        failed: the check to mend first, by part.
    """

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}

    def run(self, check: Check, call: Callable[[], Found]) -> Found:
        """Return the result of a call that runs a check.

        Raises:
            Waits: one that it rests on has failed.
        """
        if (first := self.failed.get(check.what, check.name)) != check.name:
            raise Waits(f"mend {first} first")
        try:
            found = call()
        except AssertionError:
            if check.foundation:
                self.failed[check.what] = check.name
            raise
        self.failed.pop(check.what, None)  # it passes when it is run again
        return found


@dataclass(frozen=True)
class Subject:
    """The subject of the checks of one spec, with a cache of expensive results.

    Attributes:
        spec: the spec.
        options: options that differ from the defaults.
        texts: texts to use.
        siblings: the other specs of its plugin.
    """

    spec: Any
    options: Mapping[str, Any]
    texts: tuple[str, ...] = TEXTS
    siblings: Sequence[Spec] = ()
    _cache: dict[str, Any] = field(default_factory=dict)

    @property
    def entry(self) -> Entry:
        """The spec as the registry holds it."""
        return Entry("the plugin under test", self.spec)

    def build(self, *arguments: Any) -> Any:
        """Return the result of ``load(*arguments, **options)`` as core calls it, options validated and completed."""
        return self.entry.build(self.options, *arguments)

    def once(self, name: str, find: Callable[[], Found]) -> Found:
        """Return the result of ``find``, computed once per name."""
        if name not in self._cache:
            self._cache[name] = find()
        return cast("Found", self._cache[name])


@contextlib.contextmanager
def _undisturbed(spec: Spec | Package) -> Iterator[None]:
    """Seed the random numbers of Python and torch, and restore the settings of the process afterwards.

    Settings of torch are restored where it is imported; a part may import it itself, so it is for the checks of one.
    """
    with_torch = not isinstance(spec, Package) or sys.modules.get("torch") is not None
    if with_torch:
        import torch
    with process_kept():
        random.seed(_SEED)
        if with_torch:
            torch.manual_seed(_SEED)
        yield
