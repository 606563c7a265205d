"""The report of an evaluation as one HTML page with plots: ``seqgen evaluate --html FILE``."""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_reports(register: Callable[[seqgen.ReportSpec], None]) -> None:
    """Register the HTML page."""
    register(
        seqgen.ReportSpec(
            name="html",
            summary="one HTML page of tables and plots, without scripts or network (extra: plot)",
            source="HTML Living Standard; SVG 1.1",
            load="seqgen_report.page:HtmlReport",
        )
    )
