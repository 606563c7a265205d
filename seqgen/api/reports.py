"""Reports of an evaluation: the plugins that write them, and what they are given."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.errors import UnknownSymbol
from seqgen.metrics import Evaluation
from seqgen.plugins import Plugins, missing_plugin
from seqgen.registry import Entry

if TYPE_CHECKING:
    from seqgen.api.evidence import Evidence
    from seqgen.api.open_run import OpenRun
    from seqgen.sampling import Sample

_MAX_ROWS = 50  # samples that a report has with their scores

Reports = Mapping[str, str | Path]
"""Files to write, by the name of a report."""


def find_reports(reports: Reports, plugins: Plugins) -> dict[str, Entry]:
    """Return the registered reports, by name.

    Raises:
        UnknownName: no loaded plugin offers one; the line names the plugin that would.
    """
    registry = plugins.registry
    return {
        name: registry.get("report", name, missing_plugin("reports", name) or plugins.failed_hint()) for name in reports
    }


def evaluation_of(
    run: OpenRun, metrics: Mapping[str, Any], labels: Mapping[str, str], samples: Sequence[Sample], found: Evidence
) -> Evaluation:
    """Return what reports are given."""
    first = samples[:_MAX_ROWS]
    bits: list[float | None] = [None] * len(first)
    with contextlib.suppress(UnknownSymbol):  # bytes that are no text cannot be scored again
        bits = [score.bits_per_char for score in run.score([sample.text for sample in first])]
    rows = [
        {"text": sample.text, "cut": sample.cut, "bits_per_char": score, "where": found.where.get(sample.text)}
        for sample, score in zip(first, bits, strict=True)
    ]
    return Evaluation(
        metrics=metrics,
        labels=labels,
        settings=run.settings.model_dump(mode="json"),
        history=run.metrics,
        rows=rows,
        samples=found.samples,
        held_out=found.held_out,
        has_records=run.vocabulary.ends,
    )
