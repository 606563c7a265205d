"""Options of the model, importable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

import seqgen


class NGramOptions(seqgen.Options):
    """Options of ``ngram``."""

    order: int = Field(5, ge=1, le=8, description="n: predict each symbol from the n - 1 before it")
    buckets: int = Field(
        16_384,
        ge=1,
        le=16_777_216,
        description="most contexts counted per length; memory: order x buckets x symbols x 4 bytes",
    )
    smoothing: Literal["kneser-ney", "witten-bell"] = Field(
        "witten-bell",  # runs without this option were trained before there was a choice
        description="smoothing of the counts; new runs take kneser-ney",
    )
