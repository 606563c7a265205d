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
            source="modified Kneser-Ney of Chen & Goodman 1999, doi:10.1006/csla.1999.0128; "
            "Witten & Bell 1991, doi:10.1109/18.87000",
            load="seqgen_ngram.ngram:NGramModel",
            options="seqgen_ngram.options:NGramOptions",
            # A second pass would count everything twice.
            recommended={"train": {"epochs": 1}, "model": {"smoothing": "kneser-ney"}},
        )
    )
