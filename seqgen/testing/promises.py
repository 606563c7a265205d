"""What each kind promises: the checks by name, and where they are. Nothing is loaded before a check is run."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator, Sequence
from typing import Any

from seqgen.specs import Spec
from seqgen.testing.check import TEXTS, Check, Package, Subject

PROMISES: dict[str, dict[str, tuple[str, ...]]] = {
    "corpus": {"texts": ("corpus",)},
    "tokenizer": {"texts": ("tokenizer",)},
    "cell": {"cells": ("cell",)},
    "model": {"cells": ("model",)},
    "validator": {"texts": ("validator",)},
    "metric": {"texts": ("metric",)},
    "renderer": {"texts": ("renderer",)},
    "processor": {"texts": ("processor",)},
    "augmentation": {"texts": ("augmentation",)},
    "domain": {},
    "package": {},
}
"""The names of the checks of a kind, by the module here that holds them; ``step-equals-sequence`` is the function
``step_equals_sequence``."""


def _names(kind: str) -> Iterator[tuple[str, str]]:
    for module, names in PROMISES[kind].items():
        for name in names:
            yield module, name


def _run(module: str, name: str, subject: Any) -> str | None:
    function = getattr(importlib.import_module(f"seqgen.testing.{module}"), name.replace("-", "_"))
    note: str | None = function(subject)
    return note


def checks_of(spec: Spec, *, texts: Sequence[str] = TEXTS, beside: Sequence[Spec] = (), **options: Any) -> list[Check]:
    """The checks of one spec: a small one for each promise.

    Args:
        spec: what is checked.
        texts: to try it on, for kinds that deal with texts.
        beside: what its plugin hands in besides, such as the parts that a domain names.
        options: options other than the defaults.
    """
    subject = Subject(spec, options, tuple(texts), tuple(beside))
    return [Check(spec, name, functools.partial(_run, module, name, subject)) for module, name in _names(spec.kind)]


def checks_of_package(package: Package) -> list[Check]:
    """The checks of a plugin as a whole; what is asked of installed packages only is left out for a file."""
    return [
        Check(package, name, functools.partial(_run, module, name, package))
        for module, name in _names("package")
        if package.file is None or name not in _INSTALLED_ONLY
    ]


_INSTALLED_ONLY = ("import",)
