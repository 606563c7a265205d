"""The base classes of specs."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def load_reference(reference: str) -> Any:
    """Import and return what ``"package.module:Name"`` names; import errors pass through."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def check(condition: bool, complaint: str) -> None:
    """Raise ValueError with the complaint unless the condition holds."""
    if not condition:
        raise ValueError(complaint)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The common fields of all specs.

    Attributes:
        name: the name for users, matching ``[a-z][a-z0-9_-]*``.
        summary: a one-line description for listings.
        source: the paper ("arXiv:1412.3555") or the origin of the data.
        aliases: other names of it, for which messages suggest ``name``.

    Raises:
        ValueError: a field has an invalid value.
    """

    name: str
    summary: str
    source: str = ""
    aliases: tuple[str, ...] = ()
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Validate the name, the summary and the aliases."""
        named = isinstance(self.name, str) and _NAME.fullmatch(self.name) is not None
        check(named, f"the name {self.name!r} is not of the form [a-z][a-z0-9_-]*")
        check(
            isinstance(self.summary, str) and bool(self.summary.strip()) and "\n" not in self.summary,
            f"{self.name}: the summary must be one line",
        )
        texts = isinstance(self.aliases, tuple) and all(isinstance(alias, str) for alias in self.aliases)
        check(texts, f"{self.name}: aliases={self.aliases!r} is not a tuple of names like ('rnn',)")


@dataclass(frozen=True, kw_only=True)
class LoadableSpec(Spec):
    """A spec of a part that can be built.

    Attributes:
        load: ``"package.module:Name"``, or the function or class itself.
        options: the pydantic model of the options, or a reference to it; None derives it from what ``load`` names.
    """

    load: str | Callable[..., Any]
    options: str | type | None = None

    def __post_init__(self) -> None:
        """Validate the form of references."""
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
        """Return what ``load`` names; import errors pass through."""
        return load_reference(self.load) if isinstance(self.load, str) else self.load

    def signature_source(self) -> Callable[..., Any]:
        """Return the callable whose keyword-only parameters are the options."""
        target: Callable[..., Any] = self.resolve()
        return target
