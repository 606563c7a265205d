"""The options of the cells, readable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

import seqgen


class MemoryOptions(seqgen.Options):
    """What the relatives of the LSTM have in common."""

    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")
    peepholes: bool = Field(False, description="whether the gates see the memory")
    clip: float | None = Field(None, gt=0, description="largest magnitude of the memory; none: no limit")
    projection: int | None = Field(None, ge=1, description="features of the output; none: as many as units")
    projection_clip: float | None = Field(
        None, gt=0, description="largest magnitude of the projected output; none: no limit"
    )


class CIFGOptions(MemoryOptions):
    """Options of ``cifg``."""

    layer_norm: bool = Field(False, description="whether there are layer norms, as in lnlstm")


class LNLSTMOptions(MemoryOptions):
    """Options of ``lnlstm``."""

    layer_norm: bool = Field(True, description="whether there are layer norms; without: an LSTM")
    recurrent_dropout: float = Field(0.0, ge=0, lt=1, description="share of the candidate dropped while training")


class UGRNNOptions(seqgen.Options):
    """Options of ``ugrnn``."""

    gate_bias: float = Field(1.0, description="start of the gate's bias; 1 remembers at first")


class NASOptions(seqgen.Options):
    """Options of ``nas``."""

    bias: bool = Field(True, description="whether there are biases")
    projection: int | None = Field(None, ge=1, description="features of the output; none: as many as units")


class IndRNNOptions(seqgen.Options):
    """Options of ``indrnn``."""

    activation: Literal["relu", "tanh"] = Field("relu", description="what the new state passes through")


class WNLSTMOptions(MemoryOptions):
    """Options of ``wnlstm``."""

    weight_norm: bool = Field(True, description="whether weights are normalised; without: an LSTM")


class GLSTMOptions(MemoryOptions):
    """Options of ``glstm``."""

    groups: int | None = Field(
        None, ge=1, le=65_536, description="groups that share features and units; left out: 2, or 1 of a single unit"
    )


class IndyLSTMOptions(seqgen.Options):
    """Options of ``indylstm``."""

    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")


class IndyGRUOptions(seqgen.Options):
    """Options of ``indygru``."""

    gate_bias: float = Field(1.0, description="start of the biases of both gates; 1 remembers at first")


class CFNOptions(seqgen.Options):
    """Options of ``cfn``."""

    gate_bias: float = Field(
        1.0, description="start of the forget gate's bias, and of the input gate's with a minus; 1 remembers at first"
    )


class IntersectionOptions(seqgen.Options):
    """Options of ``intersection``."""

    gate_bias: float = Field(1.0, description="start of the biases of both gates; 1 keeps state and input at first")
    activation: Literal["relu", "tanh"] = Field("relu", description="what the new output passes through")


class PhasedLSTMOptions(seqgen.Options):
    """Options of ``phased``."""

    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")
    peepholes: bool = Field(False, description="whether the gates see the memory")
    leak: float = Field(
        0.001, ge=0, le=1, description="share of an update that a closed unit takes at its period's end"
    )
    ratio_on: float = Field(0.5, gt=0, lt=1, description="share of its period that a unit is open at first")
    learn_ratio: bool = Field(True, description="whether that share is learned")
    period_min: float = Field(1.0, gt=0, description="shortest period at first, steps")
    period_max: float = Field(1000.0, gt=0, description="longest period at first, steps")
