"""A cell for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_cells(register):
    """Register the cell."""
    register(
        seqgen.CellSpec(
            name="plugin-name",
            summary="leaky units: the new state is a mix of old and candidate",
            source="Jaeger 2001, The echo state approach",
            load="plugin_package.cell:LeakyCell",
            options="plugin_package.options:LeakyOptions",
        )
    )
