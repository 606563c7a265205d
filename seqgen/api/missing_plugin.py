"""What to install or give for a name that no plugin offers, where an earlier run had it from one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from seqgen.api.factories import way_to
from seqgen.api.run import RUNS
from seqgen.checkpoint import RunSettings, list_runs
from seqgen.errors import CheckpointError, UnknownName
from seqgen.plugins import installed

_LOOKED_AT = 100  # runs


def with_a_way_out(error: UnknownName) -> UnknownName:
    """An error about an unknown name, with the plugin to get if a run under ``runs/`` had the name from one.

    Args:
        error: what the registry says of the name.

    Returns:
        The error, or another in its place.
    """
    package, _, bare = error.name.rpartition(":")
    there = {candidate.package for candidate in installed()}  # but not loaded, which a line about plugins says
    for run in list_runs(RUNS)[:_LOOKED_AT]:
        with contextlib.suppress(CheckpointError):
            settings = run.settings()
            for kind, name in _parts(settings):
                owner, _, offered = name.partition(":")
                if (kind, offered) == (error.kind, bare) and package in ("", owner):
                    known = next((row for row in settings.plugins if row.get("package") == owner), None)
                    if known is not None and owner not in there and way_to(known):
                        return UnknownName(error.kind, error.name, (), f"the run {run.name} had it: {way_to(known)}")
    return error


def _parts(settings: RunSettings) -> Iterator[tuple[str, str]]:
    """Kind and name of each part of a run."""
    yield from (("corpus", settings.corpus.name), ("domain", settings.corpus.domain))
    for kind in ("tokenizer", "model", "cell", "augmentation"):
        part = getattr(settings, kind)
        if part is not None:
            yield kind, part.name
