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


class MogrifierOptions(seqgen.Options):
    """Options of ``mogrifier``."""

    rounds: int = Field(5, ge=1, le=64, description="gatings of input and state by one another in turn")
    rank: int | None = Field(None, ge=1, le=65536, description="rank of the matrices of the rounds; left out: full")
    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")


class MuLSTMOptions(seqgen.Options):
    """Options of ``mulstm``."""

    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")


class FastGRNNOptions(seqgen.Options):
    """Options of ``fastgrnn``."""

    input_rank: int | None = Field(None, ge=1, le=65536, description="rank of the input's matrix; left out: full")
    recurrent_rank: int | None = Field(None, ge=1, le=65536, description="rank of the state's matrix; left out: full")
    zeta: float = Field(1.0, description="start of zeta; sigmoid(zeta) scales what is written")
    nu: float = Field(-4.0, description="start of nu; sigmoid(nu) of the new state is written whatever the gate says")


class JANETOptions(seqgen.Options):
    """Options of ``janet``."""

    beta: float = Field(1.0, ge=0, le=100, description="how much more is written than forgotten; 0: as much")
    t_max: float | None = Field(
        None,
        ge=2,
        le=1e9,
        description="longest dependence in steps, which spreads the gate's biases; left out: all 1",
    )


class RHNOptions(seqgen.Options):
    """Options of ``rhn``."""

    depth: int = Field(3, ge=1, le=64, description="highway layers from a state to the next")
    gate_bias: float = Field(-1.0, description="start of the gates' biases; below 0 the state is kept at first")


class SLSTMOptions(seqgen.Options):
    """Options of ``slstm``."""

    heads: int = Field(1, ge=1, le=65536, description="blocks of units that do not see one another; must divide them")
    forget_gate: Literal["sigmoid", "exp"] = Field("sigmoid", description="what makes the forget gate")
    forget_bias: float = Field(1.0, description="start of the forget gate's bias; 1 remembers at first")
