"""Building what a spec describes, as core does it: options checked, defaults filled in."""

from __future__ import annotations

from typing import Any

from seqgen.registry import Entry
from seqgen.specs import LoadableSpec


def build(spec: LoadableSpec, *arguments: Any, **options: Any) -> Any:
    """What ``load(*arguments, **options)`` gives."""
    return Entry("the plugin under test", spec).build(options, *arguments)
