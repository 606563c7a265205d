"""The catalog of checks by kind; a check's module is imported only when it runs."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

from seqgen.specs import Spec
from seqgen.testing.check import TEXTS, Check, Package, Subject

_COMMON = ("options", "global-state")
_FOUNDATIONS = ("shapes", "state-form", "state-untouched", "eval-mode")
_PROJECTION = ("projection-noise", "projection")
_READING = ("offline", "records")
_SEQUENCES = (
    *_FOUNDATIONS, "step-equals-sequence", "batch-independence", "causality", "state-rows", "padding",
)  # fmt: skip
_LAYER: dict[str, tuple[str, ...]] = {
    "gradients": ("gradients-reach", "gradients-exact", "float32", "bfloat16"),
    "training": ("save-load", "resume", "determinism", "learns"),
    "common": (*_COMMON, "recommended"),
}
CATALOG: dict[str, dict[str, tuple[str, ...]]] = {
    "corpus": {
        "corpora": (
            *_READING, "line-ends", "labels", "restartable", "digest", "across-processes", "licence",
            "valid", "global-state",
        ),
        "common": ("options", "source", "recommended"),
    },
    "tokenizer": {
        "tokenizers": (
            "round-trip", "n-symbols", "any-ids", "unknown-symbols", "hostile-strings", "to-json", "stable-ids",
            "one-pass", "across-processes", "encode-many", "decode-many", "symbol-bytes", "join", "corpus-warning",
        ),
        "common": _COMMON,
    },
    "cell": {
        "sequences": (*_SEQUENCES, "one-unit"),
        "equivalence": (*_PROJECTION, "project-and-step", "engines"),
        **_LAYER,
    },
    "model": {"sequences": _SEQUENCES, "models": ("stepper", "logits-at", "learn"), **_LAYER},
    "validator": {
        "validators": ("verdicts", "canonical", "hostile-strings"),
        "common": (*_COMMON, "deterministic"),
    },
    "metric": {
        "metrics": ("values", "hostile-strings", "untouched", "published", "labels"),
        "common": (*_COMMON, "deterministic"),
    },
    "renderer": {
        "renderers": ("renderable", "hostile-strings", "draws"),
        "common": (*_COMMON, "deterministic"),
    },
    "processor": {
        "processors": ("logits-shape", "something-left", "stays-forbidden", "rows-apart", "untouched"),
        "common": (*_COMMON, "deterministic"),
    },
    "augmentation": {"augmentations": ("seeded", "written", "hostile-strings"), "common": _COMMON},
    "report": {"reports": ("files", "few-metrics", "hostile-strings"), "common": (*_COMMON, "deterministic")},
    "exporter": {"exporters": ("files", "compares", "untouched"), "common": (*_COMMON, "deterministic")},
    "executor": {"executors": ("results", "errors", "together"), "common": ("options", "global-state")},
    "reader": {
        "readers": ("example", "restartable", "matches", "damaged"),
        "common": (*_COMMON, "source", "deterministic"),
    },
    "domain": {"domains": ("parts", "automaton")},
    "package": {"domains": ("names", "commands", "trackers", "events", "light-import")},
}  # fmt: skip
"""The names of the checks of a kind, by the module here that defines them; ``step-equals-sequence`` is the function
``step_equals_sequence``.
"""


def _run(module: str, name: str, subject: Any) -> str | None:
    function = getattr(importlib.import_module(f"seqgen.testing.{module}"), name.replace("-", "_"))
    note: str | None = function(subject)
    return note


def checks_of(
    spec: Spec, *, texts: Sequence[str] = TEXTS, siblings: Sequence[Spec] = (), **options: Any
) -> list[Check]:
    """Return the checks of one spec.

    Args:
        spec: the spec to check.
        texts: the texts to use, for kinds that process texts.
        siblings: the other specs of its plugin, such as the parts that a domain names.
        options: options that differ from the defaults.
    """
    return checks_on(Subject(spec, options, tuple(texts), tuple(siblings)))


def checks_on(subject: Subject) -> list[Check]:
    """Return the checks of one spec with the options, texts and siblings of a subject; see ``checks_of``."""
    return _checks(subject.spec, subject)


def checks_of_package(package: Package) -> list[Check]:
    """Return the checks of a plugin as a whole; a single file skips those for installed packages."""
    return [one for one in _checks(package, package) if package.file is None or one.name != "light-import"]


def _checks(of: Spec | Package, subject: Subject | Package) -> list[Check]:
    first = *_FOUNDATIONS, *_PROJECTION, *_READING
    checks = [
        Check(of, name, functools.partial(_run, module, name, subject), name in first)
        for module, names in CATALOG[of.kind].items()
        for name in names
    ]
    return sorted(checks, key=lambda check: not check.foundation)  # those that others rest on first
