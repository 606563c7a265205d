"""Cells whose gates see the input only, so that a whole sequence is one linear recurrence."""

from __future__ import annotations

import seqgen

_CELLS = (
    seqgen.CellSpec(
        name="mingru",
        summary="minimal GRU: one gate, and no state in it",
        source="arXiv:2410.01201",
        load="seqgen_parallel.mingru:MinGRUCell",
        options="seqgen:Options",
        recommended={"train": {"lr": 1e-2}},
    ),
    seqgen.CellSpec(
        name="minlstm",
        summary="minimal LSTM: two gates that add up to one, and no state in them",
        source="arXiv:2410.01201",
        load="seqgen_parallel.minlstm:MinLSTMCell",
        options="seqgen:Options",
        recommended={"train": {"lr": 1e-2}},
    ),
    seqgen.CellSpec(
        name="sru",
        summary="simple recurrent unit: a memory that forgets, and a highway from the input",
        source="arXiv:1709.02755v1",
        load="seqgen_parallel.sru:SRUCell",
        options="seqgen:Options",
        recommended={"train": {"lr": 1e-2}},
        tf={"SRUCell": {}},
    ),
)


@seqgen.hookimpl
def register_cells(register):
    """Hand in ``mingru``, ``minlstm`` and ``sru``."""
    for spec in _CELLS:
        register(spec)
