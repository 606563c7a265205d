"""Options of the cells, importable without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

import seqgen


class LSTMOptions(seqgen.Options):
    """Options shared by the LSTM variants."""

    forget_bias: float = Field(1.0, description="initial bias of the forget gate; 1: remember at first")
    peepholes: bool = Field(False, description="peephole connections: gates see the cell state")
    clip: float | None = Field(None, gt=0, description="bound on the cell state's magnitude; none: no bound")
    projection: int | None = Field(None, ge=1, description="size of the projected output; none: no projection")
    projection_clip: float | None = Field(
        None, gt=0, description="bound on the projected output's magnitude; none: no bound"
    )


class CIFGOptions(LSTMOptions):
    """Options of ``cifg``."""

    layer_norm: bool = Field(False, description="layer normalization, as in lnlstm")


class LNLSTMOptions(LSTMOptions):
    """Options of ``lnlstm``."""

    layer_norm: bool = Field(True, description="layer normalization; without it: an LSTM")
    recurrent_dropout: float = Field(0.0, ge=0, lt=1, description="fraction of the candidate dropped during training")


class UGRNNOptions(seqgen.Options):
    """Options of ``ugrnn``."""

    gate_bias: float = Field(1.0, description="initial bias of the gate; 1: remember at first")


class NASOptions(seqgen.Options):
    """Options of ``nas``."""

    bias: bool = Field(True, description="use biases")
    projection: int | None = Field(None, ge=1, description="size of the projected output; none: no projection")


class IndRNNOptions(seqgen.Options):
    """Options of ``indrnn``."""

    activation: Literal["relu", "tanh"] = Field("relu", description="activation function")


class MogrifierOptions(seqgen.Options):
    """Options of ``mogrifier``."""

    rounds: int = Field(5, ge=1, le=64, description="rounds in which input and state gate each other")
    rank: int | None = Field(None, ge=1, le=65536, description="rank of the gating matrices; left out: full")
    forget_bias: float = Field(1.0, description="initial bias of the forget gate; 1: remember at first")


class MuLSTMOptions(seqgen.Options):
    """Options of ``mulstm``."""

    forget_bias: float = Field(1.0, description="initial bias of the forget gate; 1: remember at first")


class FastGRNNOptions(seqgen.Options):
    """Options of ``fastgrnn``."""

    input_rank: int | None = Field(None, ge=1, le=65536, description="rank of the input matrix; left out: full")
    recurrent_rank: int | None = Field(None, ge=1, le=65536, description="rank of the recurrent matrix; left out: full")
    zeta: float = Field(1.0, description="initial zeta; sigmoid(zeta) scales the candidate")
    nu: float = Field(-4.0, description="initial nu; sigmoid(nu) of the candidate passes whatever the gate")


class JANETOptions(seqgen.Options):
    """Options of ``janet``."""

    beta: float = Field(1.0, ge=0, le=100, description="excess of writing over forgetting; 0: coupled gates")
    t_max: float | None = Field(
        None,
        ge=2,
        le=1e9,
        description="longest dependency in steps, for chrono initialization; left out: biases of 1",
    )


class RHNOptions(seqgen.Options):
    """Options of ``rhn``."""

    depth: int = Field(3, ge=1, le=64, description="highway layers per step")
    gate_bias: float = Field(-1.0, description="initial bias of the gates; below 0: keep the state at first")


class SLSTMOptions(seqgen.Options):
    """Options of ``slstm``."""

    heads: int = Field(
        1, ge=1, le=65536, description="heads: blocks of units with separate recurrence; must divide the units"
    )
    forget_gate: Literal["sigmoid", "exp"] = Field("sigmoid", description="activation of the forget gate")
    forget_bias: float = Field(1.0, description="initial bias of the forget gate; 1: remember at first")


class WNLSTMOptions(LSTMOptions):
    """Options of ``wnlstm``."""

    weight_norm: bool = Field(True, description="weight normalization; without it: an LSTM")


class GLSTMOptions(LSTMOptions):
    """Options of ``glstm``."""

    groups: int | None = Field(
        None,
        ge=1,
        le=65_536,
        description="groups the features and units are split into; left out: 2, or 1 for a single unit",
    )


class IndyLSTMOptions(seqgen.Options):
    """Options of ``indylstm``."""

    forget_bias: float = Field(1.0, description="initial bias of the forget gate; 1: remember at first")


class IndyGRUOptions(seqgen.Options):
    """Options of ``indygru``."""

    gate_bias: float = Field(1.0, description="initial bias of both gates; 1: remember at first")


class CFNOptions(seqgen.Options):
    """Options of ``cfn``."""

    gate_bias: float = Field(
        1.0, description="initial bias of the forget gate, negated for the input gate; 1: remember at first"
    )


class IntersectionOptions(seqgen.Options):
    """Options of ``intersection``."""

    gate_bias: float = Field(1.0, description="initial bias of both gates; 1: keep state and input at first")
    activation: Literal["relu", "tanh"] = Field("relu", description="activation of the new output")


class PhasedLSTMOptions(seqgen.Options):
    """Options of ``phased``."""

    forget_bias: float = Field(1.0, description="initial bias of the forget gate; 1: remember at first")
    peepholes: bool = Field(False, description="peephole connections: gates see the cell state")
    leak: float = Field(
        0.001, ge=0, le=1, description="fraction of an update that leaks through a closed unit at its period's end"
    )
    ratio_on: float = Field(0.5, gt=0, lt=1, description="initial fraction of its period that a unit is open")
    learn_ratio: bool = Field(True, description="learn that fraction")
    period_min: float = Field(1.0, gt=0, description="shortest initial period, steps")
    period_max: float = Field(1000.0, gt=0, description="longest initial period, steps")
