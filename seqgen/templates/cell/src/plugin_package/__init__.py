"""A cell for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_cells(register):
    """Hand the cell in."""
    register(
        seqgen.CellSpec(
            name="plugin-name",
            summary="leaky units: part of the old state stays",
            source="Jaeger 2001, The echo state approach",
            load="plugin_package.cell:LeakyCell",
            options="plugin_package.options:LeakyOptions",
        )
    )
