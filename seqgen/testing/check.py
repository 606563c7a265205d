"""A check: one promise of one thing that a plugin hands in, and what it is tried on. Needs neither torch nor pytest."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from seqgen.errors import MissingExtra
from seqgen.registry import Entry, find_plugin_frame, one_line
from seqgen.signals import reraise_signal
from seqgen.specs import Spec

Found = TypeVar("Found")

TEXTS = ("Ada", "Grace Hopper", "a", "", "naïve café", "C[C@H](N)C(=O)O", "<eos>[pad]", "日本語", "e\u0301", "👩‍🔬")
"""Texts that have broken tokenizers: empty, accented, composed, bracketed, beyond the first plane."""

_SEED = 0


@dataclass(frozen=True)
class Package:
    """A plugin as a whole, for checks that are of no spec of it.

    Attributes:
        name: its import package; for one file, the file's stem.
        specs: what it hands in.
        file: the file, for a one-file plugin.
        commands: makes an app of the commands it brings; raises a PluginError if that fails.
    """

    name: str
    specs: tuple[Spec, ...]
    file: Path | None = None
    commands: Callable[[], Any] | None = None
    kind: str = "package"


@dataclass(frozen=True)
class Check:
    """One promise of one spec; call it to see whether it is kept.

    Attributes:
        spec: what is checked.
        name: of the promise, such as "causality".
        run: looks; raises AssertionError, or gives a note.
        foundation: whether others of the spec fail with it, though nothing else is wrong.
    """

    spec: Spec | Package
    name: str
    run: Callable[[], str | None]
    foundation: bool = False

    @property
    def id(self) -> str:
        """How reports and expected failures name it: "cell-onegate-causality"."""
        return f"{self.spec.kind}-{self.spec.name}-{self.name}"

    def __call__(self) -> str:
        """Check, with random numbers that are the same each time and are put back afterwards.

        Returns:
            A note, such as what this machine could not show; "" if there is nothing to say.

        Raises:
            AssertionError: the promise is not kept; the message says how, or what the plugin's code raised.
            MissingExtra: what the plugin needs is not installed, so nothing can be said.
        """
        what = f"{self.spec.kind} {self.spec.name}"
        with _random_state_kept():
            try:
                return self.run() or ""
            except MissingExtra:
                raise
            except AssertionError as error:
                error.args = (f"{what}: {error}",)
                raise
            except (Exception, SystemExit) as error:
                reraise_signal()
                place = _place(error, self.spec)
                raise AssertionError(f"{what}: {type(error).__name__}{place}: {one_line(error, 400)}") from error


def _place(error: BaseException, spec: Spec | Package) -> str:
    """Where in the plugin's code an exception came up; "" if that was elsewhere."""
    load = getattr(spec, "load", spec.name)
    package = (load if isinstance(load, str) else str(load.__module__)).partition(":")[0].partition(".")[0]
    for one in (error.__cause__, error):  # core may have made an error of its own of it
        if one is not None and (found := find_plugin_frame(one, (package,))) is not None:
            return f" {found[1]}"
    return ""


@dataclass(frozen=True)
class Subject:
    """What the checks of one spec are about; they share what is dear to find out.

    Attributes:
        spec: what is checked.
        options: other than the defaults.
        texts: to try it on.
        siblings: what its plugin hands in besides.
    """

    spec: Any
    options: Mapping[str, Any]
    texts: tuple[str, ...] = TEXTS
    siblings: Sequence[Spec] = ()
    _known: dict[str, Any] = field(default_factory=dict)

    @property
    def entry(self) -> Entry:
        """The spec as core holds it."""
        return Entry("the plugin under test", self.spec)

    def build(self, *arguments: Any) -> Any:
        """What ``load(*arguments, **options)`` gives, as core builds it: options checked, defaults filled in."""
        return self.entry.build(self.options, *arguments)

    def once(self, name: str, find: Callable[[], Found]) -> Found:
        """What ``find`` gives, looked for once."""
        if name not in self._known:
            self._known[name] = find()
        return cast("Found", self._known[name])


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """Within it Python's and torch's random numbers begin at a seed; torch, if nobody has loaded it, is not."""
    torch, state = sys.modules.get("torch"), random.getstate()
    torch_state = None if torch is None else torch.get_rng_state()
    random.seed(_SEED)
    if torch is not None:
        torch.manual_seed(_SEED)
    try:
        yield
    finally:
        random.setstate(state)
        if torch is not None:
            torch.set_rng_state(torch_state)
