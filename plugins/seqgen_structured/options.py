"""The options of the cells, readable without torch."""

from __future__ import annotations

from pydantic import Field

import seqgen


class LSTMOptions(seqgen.Options):
    """What all the LSTMs have."""

    forget_bias: float = Field(1.0, description="start of the forget gates' biases; 1 remembers at first")
    peepholes: bool = Field(False, description="whether the gates see the memory")


class ConvLSTMOptions(LSTMOptions):
    """Options of ``convlstm``."""

    dimensions: int = Field(1, ge=1, le=3, description="axes along which the features lie")
    places: int = Field(4, ge=1, le=4096, description="places along each axis, among which the features are shared")
    kernel: int = Field(3, ge=1, le=4096, description="places along each axis that a convolution sees")


class TimeFreqLSTMOptions(LSTMOptions):
    """Options of ``tflstm``."""

    blocks: int = Field(4, ge=1, le=256, description="blocks of the input's features")
    overlap: int = Field(0, ge=0, le=65_536, description="features that a block sees of the next one")
    clip: float | None = Field(None, gt=0, description="largest magnitude of the memory; none: no limit")


class GridLSTMOptions(TimeFreqLSTMOptions):
    """Options of ``gridlstm`` and ``bigridlstm``."""

    share: bool = Field(False, description="whether the LSTM along time has the weights of that along the blocks")


class NTMOptions(seqgen.Options):
    """Options of ``ntm``."""

    slots: int = Field(8, ge=1, le=65_536, description="rows of the memory")
    features: int = Field(16, ge=1, le=65_536, description="features of a row")
    read_heads: int = Field(1, ge=1, le=64, description="heads that read")
    write_heads: int = Field(1, ge=1, le=64, description="heads that write")
    shift: int = Field(1, ge=0, le=1024, description="most slots by which a head moves in a step, either way")
    clip: float = Field(20.0, gt=0, description="largest magnitude of what the heads are told, before it is squashed")
    forget_bias: float = Field(1.0, description="start of the controller's forget gate's bias; 1 remembers at first")
