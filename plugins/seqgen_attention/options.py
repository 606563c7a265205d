"""The options of the cells, readable without torch."""

from __future__ import annotations

from pydantic import Field

import seqgen


class TransformerOptions(seqgen.Options):
    """Options of ``transformer``."""

    heads: int | None = Field(
        None,
        ge=1,
        le=65_536,
        description="attention heads; must divide the units; left out: as many as have 32 units or more each",
    )
    mlp_ratio: float = Field(4.0, gt=0, le=64, description="inner units of the MLP / units of the layer")
