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
        options="seqgen:Options",
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
)


@seqgen.hookimpl
def register_cells(register):
    """Hand in ``cifg``, ``lnlstm``, ``ugrnn``, ``nas``, ``indrnn`` and ``minimalrnn``."""
    for spec in _CELLS:
        register(spec)
