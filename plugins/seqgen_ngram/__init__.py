"""The n-gram model, a baseline for every other model."""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_models(register: Callable[[seqgen.ModelSpec], None]) -> None:
    """Register ``ngram``."""
    register(
        seqgen.ModelSpec(
            name="ngram",
            summary="n-gram counts with smoothing; trained by counting, not by gradient descent",
            source="Witten & Bell 1991, doi:10.1109/18.87000; interpolated as in Chen & Goodman 1999, "
            "doi:10.1006/csla.1999.0128",
            load="seqgen_ngram.ngram:NGramModel",
            options="seqgen_ngram.options:NGramOptions",
            recommended={"train": {"epochs": 1}},  # a second pass would count everything twice
        )
    )
