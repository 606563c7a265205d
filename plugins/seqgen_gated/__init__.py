"""Gated recurrent cells: variants and simplifications of the LSTM and the GRU."""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_CELLS = (
    seqgen.CellSpec(
        name="cifg",
        summary="LSTM with coupled gates: the input gate is 1 minus the forget gate",
        source="arXiv:1503.04069",
        load="seqgen_gated.cifg:CIFGCell",
        options="seqgen_gated.options:CIFGOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"CoupledInputForgetGateLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="lnlstm",
        summary="LSTM with layer normalization and recurrent dropout",
        source="arXiv:1607.06450; recurrent dropout: arXiv:1603.05118",
        load="seqgen_gated.lnlstm:LNLSTMCell",
        options="seqgen_gated.options:LNLSTMOptions",
        tf={"LayerNormBasicLSTMCell": {}, "LayerNormLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="ugrnn",
        summary="update gate RNN: one gate interpolates between old and new state",
        source="arXiv:1611.09913",
        load="seqgen_gated.ugrnn:UGRNNCell",
        options="seqgen_gated.options:UGRNNOptions",
        recommended={"train": {"lr": 5e-3}},
        tf={"UGRNNCell": {}},
    ),
    seqgen.CellSpec(
        name="nas",
        summary="cell found by neural architecture search: eight branches and a cell state",
        source="arXiv:1611.01578; in the form of TensorFlow's NASCell",
        load="seqgen_gated.nas:NASCell",
        options="seqgen_gated.options:NASOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"NASCell": {}},
    ),
    seqgen.CellSpec(
        name="indrnn",
        summary="h' = act(W x + u * h + b): each unit sees only its own state",
        source="arXiv:1803.04831",
        load="seqgen_gated.indrnn:IndRNNCell",
        options="seqgen_gated.options:IndRNNOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"IndRNNCell": {"activation": "tanh"}},
    ),
    seqgen.CellSpec(
        name="minimalrnn",
        summary="candidate state from the input alone; one gate blends it with the old state",
        source="arXiv:1711.06788",
        load="seqgen_gated.minimalrnn:MinimalRNNCell",
        options="seqgen:Options",
        recommended={"train": {"lr": 1e-2}},
        tf={"MinimalRNNCell": {}},
    ),
    seqgen.CellSpec(
        name="mogrifier",
        summary="LSTM whose input and state first gate each other in several rounds",
        source="arXiv:1909.01792",
        load="seqgen_gated.mogrifier:MogrifierCell",
        options="seqgen_gated.options:MogrifierOptions",
        recommended={"train": {"lr": 1e-2}},
    ),
    seqgen.CellSpec(
        name="mulstm",
        summary="multiplicative LSTM: the recurrent state is scaled by a function of the input",
        source="arXiv:1609.07959",
        load="seqgen_gated.mulstm:MuLSTMCell",
        options="seqgen_gated.options:MuLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
    ),
    seqgen.CellSpec(
        name="fastgrnn",
        summary="FastGRNN: gate and candidate share their weight matrices",
        source="arXiv:1901.02358",
        load="seqgen_gated.fastgrnn:FastGRNNCell",
        options="seqgen_gated.options:FastGRNNOptions",
        recommended={"train": {"lr": 1e-2}},
    ),
    seqgen.CellSpec(
        name="mgu",
        summary="minimal gated unit: a GRU with one gate",
        source="arXiv:1603.09420",
        load="seqgen_gated.mgu:MGUCell",
        options="seqgen:Options",
        recommended={"train": {"lr": 1e-2}},
    ),
    seqgen.CellSpec(
        name="janet",
        summary="LSTM reduced to its forget gate",
        source="arXiv:1804.04849; chrono initialization: arXiv:1804.11188",
        load="seqgen_gated.janet:JANETCell",
        options="seqgen_gated.options:JANETOptions",
        recommended={"train": {"lr": 1e-2}},
    ),
    seqgen.CellSpec(
        name="rhn",
        summary="recurrent highway network: several highway layers per step",
        source="arXiv:1607.03474",
        load="seqgen_gated.rhn:RHNCell",
        options="seqgen_gated.options:RHNOptions",
        recommended={"train": {"lr": 1e-2}},
    ),
    seqgen.CellSpec(
        name="slstm",
        summary="LSTM with exponential gates; the cell state is a weighted mean of the candidates",
        source="arXiv:2405.04517",
        load="seqgen_gated.slstm:SLSTMCell",
        options="seqgen_gated.options:SLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
    ),
    seqgen.CellSpec(
        name="wnlstm",
        summary="LSTM with weight normalization: length and direction of each weight vector learned separately",
        source="arXiv:1602.07868; in the form of TensorFlow's WeightNormLSTMCell",
        load="seqgen_gated.wnlstm:WNLSTMCell",
        options="seqgen_gated.options:WNLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"WeightNormLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="glstm",
        summary="group LSTM: independent LSTMs, each on a part of the input and of the units",
        source="arXiv:1703.10722; in the form of TensorFlow's GLSTMCell",
        load="seqgen_gated.glstm:GLSTMCell",
        options="seqgen_gated.options:GLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"GLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="phased",
        summary="phased LSTM: each unit has a clock that decides when it is updated",
        source="arXiv:1610.09513; in the form of TensorFlow's PhasedLSTMCell",
        load="seqgen_gated.phased:PhasedLSTMCell",
        options="seqgen_gated.options:PhasedLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"PhasedLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="intersection",
        summary="intersection RNN: one gate between old and new state, one between input and output",
        source="arXiv:1611.09913; in the form of TensorFlow's IntersectionRNNCell",
        load="seqgen_gated.intersection:IntersectionCell",
        options="seqgen_gated.options:IntersectionOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"IntersectionRNNCell": {}},
    ),
    seqgen.CellSpec(
        name="indygru",
        summary="GRU whose units see only their own state",
        source="arXiv:1406.1078 and arXiv:1803.04831; in the form of TensorFlow's IndyGRUCell",
        load="seqgen_gated.indygru:IndyGRUCell",
        options="seqgen_gated.options:IndyGRUOptions",
        recommended={"train": {"lr": 2e-2}},
        tf={"IndyGRUCell": {}},
    ),
    seqgen.CellSpec(
        name="indylstm",
        summary="LSTM whose units see only their own state",
        source="arXiv:1903.08023; in the form of TensorFlow's IndyLSTMCell",
        load="seqgen_gated.indylstm:IndyLSTMCell",
        options="seqgen_gated.options:IndyLSTMOptions",
        recommended={"train": {"lr": 2e-2}},
        tf={"IndyLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="cfn",
        summary="chaos-free network: two gates, and a state that decays to zero without input",
        source="arXiv:1612.06212",
        load="seqgen_gated.cfn:CFNCell",
        options="seqgen_gated.options:CFNOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"CFNCell": {}},
    ),
)


@seqgen.hookimpl
def register_cells(register: Callable[[seqgen.CellSpec], None]) -> None:
    """Register the cells."""
    for spec in _CELLS:
        register(spec)
