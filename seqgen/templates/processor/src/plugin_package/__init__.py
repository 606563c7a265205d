"""A logits processor for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_processors(register):
    """Register the logits processor."""
    register(
        seqgen.ProcessorSpec(
            name="plugin-name",
            summary="the same symbol twice in a row is less likely",
            source="none",
            load="plugin_package.processor:load",
        )
    )
