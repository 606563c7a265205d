"""Cells with gates, and what is left of them: relatives of the LSTM and the GRU."""

from __future__ import annotations

import seqgen

_CELLS = (
    seqgen.CellSpec(
        name="cifg",
        summary="LSTM with coupled gates: what is forgotten is what is written",
        source="arXiv:1503.04069",
        load="seqgen_gated.cifg:CIFGCell",
        options="seqgen_gated.options:CIFGOptions",
        tf={"CoupledInputForgetGateLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="lnlstm",
        summary="LSTM with layer normalisation and recurrent dropout",
        source="arXiv:1607.06450; recurrent dropout: arXiv:1603.05118",
        load="seqgen_gated.lnlstm:LNLSTMCell",
        options="seqgen_gated.options:LNLSTMOptions",
        tf={"LayerNormBasicLSTMCell": {}, "LayerNormLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="ugrnn",
        summary="update gate RNN: one gate between the old state and a new one",
        source="arXiv:1611.09913",
        load="seqgen_gated.ugrnn:UGRNNCell",
        options="seqgen_gated.options:UGRNNOptions",
        tf={"UGRNNCell": {}},
    ),
    seqgen.CellSpec(
        name="nas",
        summary="the cell that an architecture search found: eight branches and a memory",
        source="arXiv:1611.01578; the form is that of NASCell in TensorFlow",
        load="seqgen_gated.nas:NASCell",
        options="seqgen_gated.options:NASOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"NASCell": {}},
    ),
    seqgen.CellSpec(
        name="indrnn",
        summary="h' = act(W x + u * h + b): each unit sees only itself",
        source="arXiv:1803.04831",
        load="seqgen_gated.indrnn:IndRNNCell",
        options="seqgen_gated.options:IndRNNOptions",
        tf={"IndRNNCell": {"activation": "tanh"}},
    ),
    seqgen.CellSpec(
        name="minimalrnn",
        summary="the input alone makes the new state; one gate says how much of it is taken",
        source="arXiv:1711.06788",
        load="seqgen_gated.minimalrnn:MinimalRNNCell",
        options="seqgen:Options",
        recommended={"train": {"lr": 1e-2}},
        tf={"MinimalRNNCell": {}},
    ),
    seqgen.CellSpec(
        name="wnlstm",
        summary="LSTM with weight normalisation: length and direction of each weight vector are learned apart",
        source="arXiv:1602.07868; the form is that of WeightNormLSTMCell in TensorFlow",
        load="seqgen_gated.wnlstm:WNLSTMCell",
        options="seqgen_gated.options:WNLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"WeightNormLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="glstm",
        summary="group LSTM: independent LSTMs, each with a part of the input and of the units",
        source="arXiv:1703.10722; the form is that of GLSTMCell in TensorFlow",
        load="seqgen_gated.glstm:GLSTMCell",
        options="seqgen_gated.options:GLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"GLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="phased",
        summary="phased LSTM: a clock for each unit says when it takes part",
        source="arXiv:1610.09513; the form is that of PhasedLSTMCell in TensorFlow",
        load="seqgen_gated.phased:PhasedLSTMCell",
        options="seqgen_gated.options:PhasedLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"PhasedLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="intersection",
        summary="intersection RNN: one gate between old and new state, one between input and output",
        source="arXiv:1611.09913; the form is that of IntersectionRNNCell in TensorFlow",
        load="seqgen_gated.intersection:IntersectionCell",
        options="seqgen_gated.options:IntersectionOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"IntersectionRNNCell": {}},
    ),
    seqgen.CellSpec(
        name="indygru",
        summary="GRU of which each unit sees only itself",
        source="arXiv:1406.1078 and arXiv:1803.04831; the form is that of IndyGRUCell in TensorFlow",
        load="seqgen_gated.indygru:IndyGRUCell",
        options="seqgen_gated.options:IndyGRUOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"IndyGRUCell": {}},
    ),
    seqgen.CellSpec(
        name="indylstm",
        summary="LSTM of which each unit sees only itself",
        source="arXiv:1903.08023; the form is that of IndyLSTMCell in TensorFlow",
        load="seqgen_gated.indylstm:IndyLSTMCell",
        options="seqgen_gated.options:IndyLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"IndyLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="cfn",
        summary="chaos-free network: two gates, and a state that without input shrinks to nothing",
        source="arXiv:1612.06212",
        load="seqgen_gated.cfn:CFNCell",
        options="seqgen_gated.options:CFNOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"CFNCell": {}},
    ),
)


@seqgen.hookimpl
def register_cells(register):
    """Hand in the cells above."""
    for spec in _CELLS:
        register(spec)
