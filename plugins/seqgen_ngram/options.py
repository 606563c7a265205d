"""The options of the model, readable without torch."""

from __future__ import annotations

from pydantic import Field

import seqgen


class NGramOptions(seqgen.Options):
    """Options of ``ngram``."""

    order: int = Field(5, ge=1, le=8, description="n: the symbol that is predicted and the n - 1 before it")
    buckets: int = Field(
        16_384,
        ge=1,
        le=16_777_216,
        description="most contexts of one length that are counted; memory: order x buckets x symbols x 4 bytes",
    )
