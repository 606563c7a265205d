"""Options other than the defaults for the specs of a plugin that is checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqgen.errors import BadOption, SeqgenError, did_you_mean
from seqgen.registry import Entry
from seqgen.specs import LoadableSpec, Spec

_WHOSE = "the plugin under test"


def options_by_spec(specs: Sequence[Spec], given: Sequence[tuple[str | None, str, Any]]) -> list[dict[str, Any]]:
    """Return the given options of each spec, in the order of the specs.

    A spec that cannot list its options is given all that may be meant for it, and its checks report why.

    Args:
        specs: of one plugin.
        given: (part or None, name, value), as ``seqgen.config.parse_assignments`` gives them; the part is a kind or the
            name of a spec.

    Raises:
        BadOption: no spec has such an option, or it refuses the value.
    """
    if not given:
        return [{} for _ in specs]
    fields = [_fields(spec) for spec in specs]
    chosen: list[dict[str, Any]] = [{} for _ in specs]
    for part, name, value in given:
        taken = False
        for spec, names, values in zip(specs, fields, chosen, strict=True):
            if part in (None, spec.kind, spec.name) and (names is None or name in names):
                values[name], taken = value, True
        if not taken:
            raise BadOption(_unknown(part, name, specs, fields))
    for spec, names, values in zip(specs, fields, chosen, strict=True):
        if values and names is not None:
            Entry(_WHOSE, spec).options(values)
    return chosen


def _fields(spec: Spec) -> list[str] | None:
    """The names of the options of a spec; None if they cannot be found out."""
    if not isinstance(spec, LoadableSpec):
        return []
    try:
        return list(Entry(_WHOSE, spec).options_model().model_fields)
    except SeqgenError:
        return None


def _unknown(part: str | None, name: str, specs: Sequence[Spec], fields: Sequence[list[str] | None]) -> str:
    parts = {word: None for spec in specs for word in (spec.kind, spec.name)}
    if part is not None and part not in parts:
        return f"cannot set {part}.{name}: this plugin has no part {part!r}{did_you_mean(part, parts)}"
    known = [f"{spec.kind}.{option}" for spec, names in zip(specs, fields, strict=True) for option in names or ()]
    listed = f"known: {', '.join(known)}" if known else "it has no options"
    return f"cannot set {name}: no part of this plugin has that option; {listed}"
