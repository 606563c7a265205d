"""Options of the cells, importable without torch."""

from __future__ import annotations

from pydantic import Field

import seqgen


class TransformerOptions(seqgen.Options):
    """Options of ``transformer``."""

    heads: int | None = Field(
        None,
        ge=1,
        le=65_536,
        description="attention heads; must divide the units; left out: the most with 32 units or more each",
    )
    mlp_ratio: float = Field(4.0, gt=0, le=64, description="hidden units of the MLP / units of the layer")
    context: int = Field(1024, ge=1, le=1_000_000, description="steps that each step attends to, itself included")
    rms_norm: bool = Field(False, description="RMSNorm instead of layer norm")
    swiglu: bool = Field(False, description="gate the MLP (SwiGLU): half as many parameters again at one mlp_ratio")


class TCNOptions(seqgen.Options):
    """Options of ``tcn``."""

    kernel: int = Field(2, ge=2, le=64, description="kernel size of the convolutions")
    dilations: str = Field(
        "1,2,4",
        pattern=r"^[1-9][0-9]{0,3}(,[1-9][0-9]{0,3}){0,63}$",
        description="dilation of each block, comma-separated: 1,2,4,8",
    )
    gated: bool = Field(False, description="use WaveNet's gated blocks with skip connections")
