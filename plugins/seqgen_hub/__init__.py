"""A run as a folder for a model hub, with a model card: ``seqgen export hub RUN FOLDER``."""

from __future__ import annotations

from collections.abc import Callable

import seqgen

seqgen_api = "1.3"


@seqgen.hookimpl
def register_exporters(register: Callable[[seqgen.ExporterSpec], None]) -> None:
    """Register the exporter."""
    register(
        seqgen.ExporterSpec(
            name="hub",
            summary="a folder for a model hub: a run to sample from, with a model card",
            source="https://huggingface.co/docs/hub/model-cards; arXiv:1810.03993",
            compares="logits of 4 rows of the folder opened as a run, which may not differ",
            load="seqgen_hub.exporter:HubExporter",
        )
    )
