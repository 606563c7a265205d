"""A model that counts: the n-gram, what every other one should be compared with."""

from __future__ import annotations

import seqgen


@seqgen.hookimpl
def register_models(register):
    """Hand in ``ngram``."""
    register(
        seqgen.ModelSpec(
            name="ngram",
            summary="counts what follows the last few symbols, instead of descending a gradient",
            source="Witten & Bell 1991, doi:10.1109/18.87000; interpolated as in Chen & Goodman 1999, "
            "doi:10.1006/csla.1999.0128",
            load="seqgen_ngram.ngram:NGramModel",
            options="seqgen_ngram.options:NGramOptions",
            recommended={"train": {"epochs": 1}},  # a second pass would count everything twice
        )
    )
