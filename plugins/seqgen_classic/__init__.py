"""The standard recurrent cells: vanilla, GRU and LSTM."""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_cells(register: Callable[[seqgen.CellSpec], None]) -> None:
    """Register ``vanilla``, ``gru`` and ``lstm``."""
    register(
        seqgen.CellSpec(
            name="vanilla",
            summary="h' = act(W [x, h] + b): one dense layer over input and state; act is ReLU unless told otherwise",
            aliases=("rnn", "elman", "simplernn", "simple-rnn"),
            source="Elman 1990, doi:10.1207/s15516709cog1402_1 (with tanh: -o activation=tanh); ReLU: arXiv:1504.00941",
            load="seqgen_classic.vanilla:VanillaCell",
            options="seqgen_classic.options:VanillaOptions",
            tf={
                "BasicRNNCell": {"activation": "tanh"},
                "CudnnRNNTanh": {"activation": "tanh"},
                "CudnnRNNRelu": {"activation": "relu"},
            },
        )
    )
    register(
        seqgen.CellSpec(
            name="gru",
            summary="gated recurrent unit: two gates, no separate cell state",
            source="arXiv:1406.1078; reset gate after the product as in cuDNN",
            load="seqgen_classic.gru:GRUCell",
            options="seqgen_classic.options:GRUOptions",
            recommended={"train": {"lr": 5e-3}},
            tf={
                "GRUCell": {"reset": "before"},
                "GRUBlockCell": {"reset": "before"},
                "GRUBlockCellV2": {"reset": "before"},
                "CudnnGRU": {"reset": "after"},
                "CudnnCompatibleGRUCell": {"reset": "after"},
            },
        )
    )
    register(
        seqgen.CellSpec(
            name="lstm",
            summary="long short-term memory: three gates and a cell state",
            source="Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget gate: "
            "Gers et al. 2000, doi:10.1162/089976600300015015",
            load="seqgen_classic.lstm:LSTMCell",
            options="seqgen_classic.options:LSTMOptions",
            recommended={"train": {"lr": 5e-3}},
            tf={
                "BasicLSTMCell": {},
                "LSTMBlockCell": {},
                "LSTMBlockFusedCell": {},
                "LSTMCell": {},
                "CudnnLSTM": {"forget_bias": 0.0},
                "CudnnCompatibleLSTMCell": {"forget_bias": 0.0},
            },
        )
    )
