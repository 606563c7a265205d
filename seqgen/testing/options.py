"""Options that differ from the defaults, assigned to the specs of a plugin under test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqgen.errors import BadOption, SeqgenError, did_you_mean
from seqgen.registry import Entry
from seqgen.specs import LoadableSpec, Spec

_OWNER = "the plugin under test"


def options_by_spec(specs: Sequence[Spec], given: Sequence[tuple[str | None, str, Any]]) -> list[dict[str, Any]]:
    """Return the options of each spec, in the order of the specs.

    A spec that cannot list its options gets all that may be meant for it, and its checks report the reason.

    Args:
        specs: of one plugin.
        given: (part or None, name, value), the result of ``seqgen.config.parse_assignments``; the part is a kind or the
            name of a spec.

    Raises:
        BadOption: no spec has the option, or it refuses the value.
    """
    if not given:
        return [{} for _ in specs]
    fields = [_fields(spec) for spec in specs]
    options: list[dict[str, Any]] = [{} for _ in specs]
    for part, name, value in given:
        is_known = False
        for spec, names, values in zip(specs, fields, options, strict=True):
            if part in (None, spec.kind, spec.name) and (names is None or name in names):
                values[name], is_known = value, True
        if not is_known:
            raise BadOption(_unknown(part, name, specs, fields))
    for spec, names, values in zip(specs, fields, options, strict=True):
        if values and names is not None:
            Entry(_OWNER, spec).options(values)
    return options


def _fields(spec: Spec) -> list[str] | None:
    """Return the option names of a spec; None if they cannot be determined."""
    if not isinstance(spec, LoadableSpec):
        return []
    try:
        return Entry(_OWNER, spec).option_names()
    except SeqgenError:
        return None


def _unknown(part: str | None, name: str, specs: Sequence[Spec], fields: Sequence[list[str] | None]) -> str:
    parts = {word: None for spec in specs for word in (spec.kind, spec.name)}
    if part is not None and part not in parts:
        return f"cannot set {part}.{name}: this plugin has no part {part!r}{did_you_mean(part, parts)}"
    known = [f"{spec.kind}.{option}" for spec, names in zip(specs, fields, strict=True) for option in names or ()]
    listed = f"known: {', '.join(known)}" if known else "it has no options"
    return f"cannot set {name}: no part of this plugin has that option; {listed}"
