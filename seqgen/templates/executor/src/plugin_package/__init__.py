"""An executor for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_executors(register):
    """Register the executor."""
    register(
        seqgen.ExecutorSpec(
            name="plugin-name",
            summary="a pool of threads",
            source="PEP 3148",
            load="plugin_package.executor:open_threads",
        )
    )
