"""A corpus for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_corpora(register):
    """Register the corpus."""
    register(
        seqgen.CorpusSpec(
            name="plugin-name",
            summary="names of bright stars",
            source="names in common use, of which the IAU keeps a list",
            licence="CC0-1.0",
            load="plugin_package.corpus:load",
            recommended={"train": {"steps": 1500}, "model": {"dropout": 0.2}},
        )
    )
