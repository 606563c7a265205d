"""Specs by name: siblings of a spec, and those of installed plugins."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from seqgen.plugins import Plugins, entry_point_candidates
from seqgen.specs import Spec


@functools.cache
def installed() -> Plugins:
    """Return the installed plugins, loaded once a process."""
    plugins = Plugins(lambda problem: None)
    plugins.load(entry_point_candidates())
    return plugins


def find_spec(kind: str, name: str, siblings: Sequence[Spec]) -> Any:
    """Return the spec of a name, or None; siblings take precedence."""
    for spec in siblings:
        if spec.kind == kind and spec.name == name.rpartition(":")[2]:
            return spec
    registry = installed().registry
    return registry.get(kind, name).spec if registry.has(kind, name) else None
