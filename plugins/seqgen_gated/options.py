"""The options of the cells, readable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

import seqgen


class CIFGOptions(seqgen.Options):
    """Options of ``cifg``."""

    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")


class LNLSTMOptions(seqgen.Options):
    """Options of ``lnlstm``."""

    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")
    recurrent_dropout: float = Field(0.0, ge=0, lt=1, description="share of the candidate dropped while training")


class UGRNNOptions(seqgen.Options):
    """Options of ``ugrnn``."""

    gate_bias: float = Field(1.0, description="start of the gate's bias; 1 remembers at first")


class IndRNNOptions(seqgen.Options):
    """Options of ``indrnn``."""

    activation: Literal["relu", "tanh"] = Field("relu", description="what the new state passes through")
