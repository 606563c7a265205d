"""Options of the cells, importable without torch."""

from __future__ import annotations

from pydantic import Field

import seqgen


class LSTMOptions(seqgen.Options):
    """Options shared by the structured LSTMs."""

    forget_bias: float = Field(1.0, description="initial bias of the forget gates; 1: remember at first")
    peepholes: bool = Field(False, description="peephole connections: gates see the cell state")


class ConvLSTMOptions(LSTMOptions):
    """Options of ``convlstm``."""

    dimensions: int = Field(1, ge=1, le=3, description="axes along which the positions lie")
    places: int = Field(4, ge=1, le=4096, description="positions along each axis; the features are split among them")
    kernel: int = Field(3, ge=1, le=4096, description="kernel size of the convolution along each axis")


class TimeFreqLSTMOptions(LSTMOptions):
    """Options of ``tflstm``."""

    blocks: int = Field(4, ge=1, le=256, description="blocks the input features are split into")
    overlap: int = Field(0, ge=0, le=65_536, description="features of the next block that a block also sees")
    clip: float | None = Field(None, gt=0, description="bound on the cell state's magnitude; none: no bound")


class GridLSTMOptions(TimeFreqLSTMOptions):
    """Options of ``gridlstm`` and ``bigridlstm``."""

    share: bool = Field(False, description="share weights between the LSTMs along time and along blocks")


class NTMOptions(seqgen.Options):
    """Options of ``ntm``."""

    slots: int = Field(8, ge=1, le=65_536, description="rows of the memory")
    features: int = Field(16, ge=1, le=65_536, description="features per row")
    read_heads: int = Field(1, ge=1, le=64, description="read heads")
    write_heads: int = Field(1, ge=1, le=64, description="write heads")
    shift: int = Field(1, ge=0, le=1024, description="most slots by which a head moves per step, in either direction")
    clip: float = Field(20.0, gt=0, description="bound on the head parameters before their activation")
    forget_bias: float = Field(1.0, description="initial bias of the controller's forget gate; 1: remember at first")
