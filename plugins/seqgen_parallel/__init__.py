"""Cells that train in parallel over time: linear recurrences whose gates see only the input, and a gated MLP."""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_FAST = {"train": {"lr": 1e-2}}
_CELLS = (
    seqgen.CellSpec(
        name="mingru",
        summary="minimal GRU: one gate, which does not see the state",
        source="arXiv:2410.01201",
        load="seqgen_parallel.mingru:MinGRUCell",
        options="seqgen:Options",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="minlstm",
        summary="minimal LSTM: two gates that sum to one and do not see the state",
        source="arXiv:2410.01201",
        load="seqgen_parallel.minlstm:MinLSTMCell",
        options="seqgen:Options",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="sru",
        summary="simple recurrent unit: a forget gate and a highway connection from the input",
        source="arXiv:1709.02755v1",
        load="seqgen_parallel.sru:SRUCell",
        options="seqgen:Options",
        recommended=_FAST,
        tf={"SRUCell": {}},
    ),
    seqgen.CellSpec(
        name="gilr",
        summary="gated impulse linear recurrence: one gate between the state and an impulse",
        source="arXiv:1709.04057",
        load="seqgen_parallel.gilr:GILRCell",
        options="seqgen_parallel.options:GILROptions",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="gilrlstm",
        summary="LSTM whose gates see a linear recurrence instead of its output",
        source="arXiv:1709.04057",
        load="seqgen_parallel.gilrlstm:GILRLSTMCell",
        options="seqgen_parallel.options:GILRLSTMOptions",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="qrnn",
        summary="quasi-recurrent network: a convolution and gated pooling over time",
        source="arXiv:1611.01576",
        load="seqgen_parallel.qrnn:QRNNCell",
        options="seqgen_parallel.options:QRNNOptions",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="hgrn",
        summary="hierarchically gated recurrent network: complex state, lower-bounded forget gate",
        source="arXiv:2311.04823",
        load="seqgen_parallel.hgrn:HGRNCell",
        options="seqgen_parallel.options:HGRNOptions",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="lru",
        summary="linear recurrent unit: a constant complex recurrence, then a gated linear unit",
        source="arXiv:2303.06349",
        load="seqgen_parallel.lru:LRUCell",
        options="seqgen_parallel.options:LRUOptions",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="rglru",
        summary="real-gated linear recurrent unit, in the recurrent block of Griffin",
        source="arXiv:2402.19427",
        load="seqgen_parallel.rglru:RGLRUCell",
        options="seqgen_parallel.options:RGLRUOptions",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="s5",
        summary="simplified state space layer: a constant complex recurrence, then a gate",
        source="arXiv:2208.04933",
        load="seqgen_parallel.s5:S5Cell",
        options="seqgen_parallel.options:S5Options",
        recommended={"train": {"lr": 2e-2}},
    ),
    seqgen.CellSpec(
        name="mamba",
        summary="selective state space model: step size, input and output depend on the input",
        source="arXiv:2312.00752",
        load="seqgen_parallel.mamba:MambaCell",
        options="seqgen_parallel.options:MambaOptions",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="mlstm",
        summary="mLSTM of the xLSTM: matrix memory and exponential gates",
        source="arXiv:2405.04517",
        load="seqgen_parallel.mlstm:MLSTMCell",
        options="seqgen_parallel.options:MLSTMOptions",
        recommended=_FAST,
    ),
    seqgen.CellSpec(
        name="mlp",
        summary="gated MLP of each step, for stacks: it mixes features and remembers nothing",
        source="arXiv:2002.05202",
        load="seqgen_parallel.mlp:MLPCell",
        options="seqgen_parallel.options:MLPOptions",
        recommended=_FAST,
        remembers=False,
    ),
)


@seqgen.hookimpl
def register_cells(register: Callable[[seqgen.CellSpec], None]) -> None:
    """Register the cells."""
    for spec in _CELLS:
        register(spec)
