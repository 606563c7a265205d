"""What can be asked of a sampler."""

from __future__ import annotations

from pydantic import Field

from seqgen.config import Options


class SampleSettings(Options):
    """How rows are drawn."""

    seed: int = Field(0, ge=0, lt=2**63, description="row i is the same for every number of rows")
    prefix: str = Field("", description="text that every row starts with")
    temperature: float = Field(1.0, ge=0, le=100, description="below 1 is safer, above is bolder; 0 is greedy")
    top_k: int | None = Field(None, ge=1, description="draw among the k likeliest symbols only")
    top_p: float | None = Field(None, gt=0, le=1, description="draw among the likeliest that reach this share")
    min_p: float | None = Field(None, ge=0, le=1, description="least share of the likeliest symbol's probability")
    max_length: int | None = Field(None, ge=1, le=1_000_000, description="symbols at which a row is cut")
    batch_size: int | None = Field(
        None, ge=1, le=65_536, description="rows drawn together, changes no row; left out: by the size of the model"
    )
