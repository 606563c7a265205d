"""An exporter for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_exporters(register):
    """Register the exporter."""
    register(
        seqgen.ExporterSpec(
            name="plugin-name",
            summary="the weights as an archive of NumPy",
            source="NumPy's format .npz",
            compares="weights, read again, which may not differ",
            load="plugin_package.exporter:NumPyExporter",
        )
    )
