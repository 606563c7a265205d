"""One step of a run as a model of ONNX: ``seqgen export onnx RUN model.onnx`` (extra: onnx)."""

from __future__ import annotations

from collections.abc import Callable

import seqgen

seqgen_api = "1.3"


@seqgen.hookimpl
def register_exporters(register: Callable[[seqgen.ExporterSpec], None]) -> None:
    """Register the exporter."""
    register(
        seqgen.ExporterSpec(
            name="onnx",
            summary="one step for any number of rows, as an ONNX model (extra: onnx)",
            source="https://onnx.ai/onnx/repo-docs/IR.html",
            compares="logits of 12 steps of 1 and of 64 rows in onnxruntime, to 1e-4",
            load="seqgen_onnx.exporter:OnnxExporter",
        )
    )
