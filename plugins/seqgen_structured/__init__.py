"""Cells with a structured state: positions along axes, blocks of features, slots of a memory."""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_CELLS = (
    seqgen.CellSpec(
        name="convlstm",
        summary="convolutional LSTM: features at positions, each of which sees its neighbours",
        source="arXiv:1506.04214",
        load="seqgen_structured.convlstm:ConvLSTMCell",
        options="seqgen_structured.options:ConvLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={
            "ConvLSTMCell": {},
            "Conv1DLSTMCell": {},
            "Conv2DLSTMCell": {"dimensions": 2},
            "Conv3DLSTMCell": {"dimensions": 3},
        },
    ),
    seqgen.CellSpec(
        name="tflstm",
        summary="time-frequency LSTM: an LSTM over time whose output also passes from block to block of the features",
        source="Sainath & Li 2016, doi:10.21437/Interspeech.2016-84",
        load="seqgen_structured.tflstm:TimeFreqLSTMCell",
        options="seqgen_structured.options:TimeFreqLSTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"TimeFreqLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="gridlstm",
        summary="grid LSTM: one LSTM over time and one over blocks of features, coupled in every block",
        source="arXiv:1507.01526; Sainath & Li 2016, doi:10.21437/Interspeech.2016-84",
        load="seqgen_structured.gridlstm:GridLSTMCell",
        options="seqgen_structured.options:GridLSTMOptions",
        recommended={"train": {"lr": 2e-2}},
        tf={"GridLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="bigridlstm",
        summary="two grid LSTMs that read the blocks of features in opposite directions; causal in time",
        source="Sainath & Li 2016, doi:10.21437/Interspeech.2016-84",
        load="seqgen_structured.bigridlstm:BiGridLSTMCell",
        options="seqgen_structured.options:GridLSTMOptions",
        recommended={"train": {"lr": 3e-2}},
        tf={"BidirectionalGridLSTMCell": {}},
    ),
    seqgen.CellSpec(
        name="ntm",
        summary="neural Turing machine: an LSTM that reads and writes a memory by content and by location",
        source="arXiv:1410.5401; memory initialization: arXiv:1807.08518",
        load="seqgen_structured.ntm:NTMCell",
        options="seqgen_structured.options:NTMOptions",
        recommended={"train": {"lr": 1e-2}},
        tf={"NTMCell": {}},
    ),
)


@seqgen.hookimpl
def register_cells(register: Callable[[seqgen.CellSpec], None]) -> None:
    """Register ``convlstm``, ``tflstm``, ``gridlstm``, ``bigridlstm`` and ``ntm``."""
    for spec in _CELLS:
        register(spec)
