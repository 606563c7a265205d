"""Building what a spec describes, with its options checked and defaults filled in."""

from __future__ import annotations

from typing import Any

from seqgen.config import build_options, options_model
from seqgen.specs import LoadableSpec, load_reference


def build(spec: LoadableSpec, *arguments: Any, **options: Any) -> Any:
    """What ``load(*arguments, **options)`` gives."""
    named = spec.options
    if named is None:
        model = options_model(spec.signature_source())
    else:
        model = load_reference(named) if isinstance(named, str) else named
    return spec.resolve()(*arguments, **build_options(model, options, f"{spec.kind} {spec.name}"))
