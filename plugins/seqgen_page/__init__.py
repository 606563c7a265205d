"""A run as one web page that needs no network and no server: ``seqgen export page RUN page.html``."""

from __future__ import annotations

from collections.abc import Callable

import seqgen

seqgen_api = "1.3"


@seqgen.hookimpl
def register_exporters(register: Callable[[seqgen.ExporterSpec], None]) -> None:
    """Register the page."""
    register(
        seqgen.ExporterSpec(
            name="page",
            summary="one HTML page that samples and scores in a browser, without a network",
            source="ECMAScript 2022; Content Security Policy Level 3",
            compares="logits of 8 rows, to 1e-4, by node where it is installed, and by the page when it is opened",
            load="seqgen_page.exporter:PageExporter",
        )
    )
