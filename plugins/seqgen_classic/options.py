"""Options of the cells, importable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

import seqgen


class VanillaOptions(seqgen.Options):
    """Options of ``vanilla``."""

    activation: Literal["relu", "tanh"] = Field("relu", description="activation function")


class GRUOptions(seqgen.Options):
    """Options of ``gru``."""

    reset: Literal["after", "before"] = Field(
        "after",
        description="apply the reset gate after the product with the state (torch, cuDNN) or before it",
    )


class LSTMOptions(seqgen.Options):
    """Options of ``lstm``."""

    forget_bias: float = Field(1.0, description="initial bias of the forget gate; 1: remember at first")
    peepholes: bool = Field(False, description="peephole connections: gates see the cell state")
    projection: int | None = Field(None, ge=1, description="size of the projected output; none: no projection")
    clip: float | None = Field(None, gt=0, description="bound on the cell state's magnitude; none: no bound")
    projection_clip: float | None = Field(
        None, gt=0, description="bound on the projected output's magnitude; none: no bound"
    )
