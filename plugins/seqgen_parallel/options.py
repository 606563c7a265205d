"""The options of the cells, readable without torch."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

import seqgen

_STATES = "complex features of the state; left out: half as many as units"
_EXPAND = "inner features / units of the layer"
_KERNEL = "steps that the convolution sees"


class GILROptions(seqgen.Options):
    """Options of ``gilr``."""

    activation: Literal["tanh", "relu", "linear"] = Field("tanh", description="what is made of the impulse")


class GILRLSTMOptions(seqgen.Options):
    """Options of ``gilrlstm``."""

    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")


class QRNNOptions(seqgen.Options):
    """Options of ``qrnn``."""

    kernel: int = Field(2, ge=1, le=256, description=_KERNEL)
    pooling: Literal["f", "fo", "ifo"] = Field(
        "fo", description="which gates there are: forget, output, and an input gate apart from the forget gate"
    )


class HGRNOptions(seqgen.Options):
    """Options of ``hgrn``."""

    lower_bound: float = Field(0.0, ge=0, lt=1, description="the least that the forget gate keeps")


class LRUOptions(seqgen.Options):
    """Options of ``lru``."""

    states: int | None = Field(None, ge=1, le=65_536, description=_STATES)
    r_min: float = Field(0.0, ge=0, le=0.9999, description="least absolute value of the eigenvalues at the start")
    r_max: float = Field(1.0, gt=0, le=1, description="largest absolute value of the eigenvalues at the start")
    max_phase: float = Field(
        2 * math.pi, gt=0, le=2 * math.pi, description="largest angle of the eigenvalues at the start, radians"
    )


class S5Options(seqgen.Options):
    """Options of ``s5``."""

    states: int | None = Field(None, ge=1, le=4096, description=f"{_STATES}, at most 256")
    step_min: float = Field(0.001, gt=0, le=100, description="least step of time at the start")
    step_max: float = Field(0.1, gt=0, le=100, description="largest step of time at the start")


class RGLRUOptions(seqgen.Options):
    """Options of ``rglru``."""

    expand: float = Field(1.0, gt=0, le=64, description=_EXPAND)
    kernel: int = Field(4, ge=2, le=256, description=_KERNEL)


class MambaOptions(seqgen.Options):
    """Options of ``mamba``."""

    expand: float = Field(2.0, gt=0, le=64, description=_EXPAND)
    states: int = Field(4, ge=1, le=1024, description="numbers of the state for each inner feature")
    kernel: int = Field(4, ge=2, le=256, description=_KERNEL)
    rank: int | None = Field(
        None, ge=1, le=65_536, description="features the step of time is made of; left out: a sixteenth of the units"
    )


class MLSTMOptions(seqgen.Options):
    """Options of ``mlstm``."""

    expand: float = Field(2.0, gt=0, le=64, description=_EXPAND)
    heads: int | None = Field(
        None,
        ge=1,
        le=65_536,
        description="heads; must divide the inner features; left out: as many as have 16 features or more each",
    )
    kernel: int = Field(4, ge=2, le=256, description=_KERNEL)
