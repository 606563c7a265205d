"""Options of the cells, importable without torch."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

import seqgen

_STATES = "complex features of the state; left out: half the units"
_EXPAND = "inner features / units of the layer"
_KERNEL = "kernel size of the convolution, steps"


class GILROptions(seqgen.Options):
    """Options of ``gilr``."""

    activation: Literal["tanh", "relu", "linear"] = Field("tanh", description="activation of the impulse")


class GILRLSTMOptions(seqgen.Options):
    """Options of ``gilrlstm``."""

    forget_bias: float = Field(1.0, description="initial bias of the forget gate; 1: remember at first")


class QRNNOptions(seqgen.Options):
    """Options of ``qrnn``."""

    kernel: int = Field(2, ge=1, le=256, description=_KERNEL)
    pooling: Literal["f", "fo", "ifo"] = Field(
        "fo", description="gates of the pooling: f (forget), o (output), i (a separate input gate)"
    )
    zoneout: float = Field(
        0.0, ge=0, lt=1, description="probability that a feature of the state keeps its value during training"
    )


class HGRNOptions(seqgen.Options):
    """Options of ``hgrn``."""

    lower_bound: float = Field(
        0.0, ge=0, lt=1, description="lower bound of the forget gate; may be one a layer: 0,0.5,0.9"
    )


class LRUOptions(seqgen.Options):
    """Options of ``lru``."""

    states: int | None = Field(None, ge=1, le=65_536, description=_STATES)
    r_min: float = Field(0.0, ge=0, le=0.9999, description="smallest initial absolute value of the eigenvalues")
    r_max: float = Field(1.0, gt=0, le=1, description="largest initial absolute value of the eigenvalues")
    max_phase: float = Field(
        2 * math.pi, gt=0, le=2 * math.pi, description="largest initial angle of the eigenvalues, radians"
    )


class S5Options(seqgen.Options):
    """Options of ``s5``."""

    states: int | None = Field(None, ge=1, le=4096, description=f"{_STATES}, at most 256")
    step_min: float = Field(0.001, gt=0, le=100, description="smallest initial time step")
    step_max: float = Field(0.1, gt=0, le=100, description="largest initial time step")


class RGLRUOptions(seqgen.Options):
    """Options of ``rglru``."""

    expand: float = Field(1.0, gt=0, le=64, description=_EXPAND)
    kernel: int = Field(4, ge=2, le=256, description=_KERNEL)


class MambaOptions(seqgen.Options):
    """Options of ``mamba``."""

    expand: float = Field(2.0, gt=0, le=64, description=_EXPAND)
    states: int = Field(4, ge=1, le=1024, description="state size per inner feature; 16 in the paper")
    kernel: int = Field(4, ge=2, le=256, description=_KERNEL)
    rank: int | None = Field(
        None, ge=1, le=65_536, description="rank of the time step's map; left out: a sixteenth of the units"
    )


class MLPOptions(seqgen.Options):
    """Options of ``mlp``."""

    expand: float = Field(3.0, gt=0, le=64, description=_EXPAND)
    activation: Literal["silu", "gelu"] = Field("silu", description="activation of the gate: SwiGLU or GeGLU")


class MLSTMOptions(seqgen.Options):
    """Options of ``mlstm``."""

    expand: float = Field(2.0, gt=0, le=64, description=_EXPAND)
    heads: int | None = Field(
        None,
        ge=1,
        le=65_536,
        description="heads; must divide the inner features; left out: the most with 16 features or more each",
    )
    kernel: int = Field(4, ge=2, le=256, description=_KERNEL)
