"""The base classes of specs: a name, a summary, and what ``load`` names."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def load_reference(reference: str) -> Any:
    """What ``"package.module:Name"`` names; import errors pass through."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def check(condition: bool, complaint: str) -> None:
    """Raise ValueError with the complaint unless the condition holds."""
    if not condition:
        raise ValueError(complaint)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What all specs have.

    Attributes:
        name: how users call it, ``[a-z][a-z0-9_-]*``.
        summary: one line for lists.
        source: the paper ("arXiv:1412.3555") or the origin of the data.
        aliases: what else people call it: an unknown name that is one of these is answered with ``name``.

    Raises:
        ValueError: a field has an impossible value.
    """

    name: str
    summary: str
    source: str = ""
    aliases: tuple[str, ...] = ()
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Refuse names that the command line could not spell."""
        named = isinstance(self.name, str) and _NAME.fullmatch(self.name) is not None
        check(named, f"the name {self.name!r} is not of the form [a-z][a-z0-9_-]*")
        check(
            isinstance(self.summary, str) and bool(self.summary.strip()) and "\n" not in self.summary,
            f"{self.name}: the summary must be one line",
        )
        texts = isinstance(self.aliases, tuple) and all(isinstance(alias, str) for alias in self.aliases)
        check(texts, f"{self.name}: aliases={self.aliases!r} are not like ('rnn',)")


@dataclass(frozen=True, kw_only=True)
class LoadableSpec(Spec):
    """A spec of something that can be built.

    Attributes:
        load: ``"package.module:Name"``, or the function or class itself.
        options: the pydantic model of the options, or where it is; None derives it from what ``load`` gives.
    """

    load: str | Callable[..., Any]
    options: str | type | None = None

    def __post_init__(self) -> None:
        """Refuse references that cannot be followed."""
        super().__post_init__()
        for value in (self.load, self.options):
            if isinstance(value, str):
                check(
                    _REFERENCE.fullmatch(value) is not None,
                    f'{self.name}: {value!r} is not of the form "package.module:Name"',
                )
        check(
            isinstance(self.load, str) or callable(self.load),
            f"{self.name}: load must be a string or a function",
        )

    def resolve(self) -> Any:
        """What ``load`` names; whatever its import raises passes through."""
        return load_reference(self.load) if isinstance(self.load, str) else self.load

    def signature_source(self) -> Callable[..., Any]:
        """The callable whose keyword-only parameters are the options."""
        target: Callable[..., Any] = self.resolve()
        return target
