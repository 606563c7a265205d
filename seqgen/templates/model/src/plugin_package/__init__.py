"""A model for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_models(register):
    """Register the model."""
    register(
        seqgen.ModelSpec(
            name="plugin-name",
            summary="a feed-forward network that sees the last few symbols",
            source="Bengio et al. 2003, A neural probabilistic language model",
            load="plugin_package.model:WindowModel",
            options="plugin_package.options:WindowOptions",
        )
    )
