"""The options of the cells, readable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

import seqgen


class VanillaOptions(seqgen.Options):
    """Options of ``vanilla``."""

    activation: Literal["relu", "tanh"] = Field("relu", description="what the new state passes through")


class GRUOptions(seqgen.Options):
    """Options of ``gru``."""

    reset: Literal["after", "before"] = Field(
        "after",
        description="whether the reset gate acts after the product with the state (torch, cuDNN) or before",
    )


class LSTMOptions(seqgen.Options):
    """Options of ``lstm``."""

    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")
    peepholes: bool = Field(False, description="whether the gates see the memory")
    projection: int | None = Field(None, ge=1, description="features of the output; none: as many as units")
    clip: float | None = Field(None, gt=0, description="largest magnitude of the memory; none: no limit")
    projection_clip: float | None = Field(
        None, gt=0, description="largest magnitude of the projected output; none: no limit"
    )
