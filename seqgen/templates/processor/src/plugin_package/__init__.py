"""A decoding step for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_processors(register):
    """Hand the decoding step in."""
    register(
        seqgen.ProcessorSpec(
            name="plugin-name",
            summary="the same symbol twice in a row is less likely",
            source="none",
            load="plugin_package.processor:load",
        )
    )
