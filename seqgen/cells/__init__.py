"""Cells: one layer, a function of (input, state) to (output, state)."""

from seqgen.cells.attention import PastAttention
from seqgen.cells.cell import Cell, form_difference, join_rows, list_leaves, map_state, select_rows
from seqgen.cells.dropout import Dropout
from seqgen.cells.linear_scan import linear_scan
from seqgen.cells.stack import Stack
from seqgen.cells.step import Engine, Recurrent, StepCell
from seqgen.cells.step_engine import (
    can_compile,
    choose_padding,
    compile_steps,
    describe_engine,
    is_compiled,
    slow_steps,
    use_engine,
)
from seqgen.cells.wrappers import Around, RecurrentDropout, Zoneout
from seqgen.engine.onednn_linear import can_pack, pack, packed_linear

__all__ = [
    "Around",
    "Cell",
    "Dropout",
    "Engine",
    "PastAttention",
    "Recurrent",
    "RecurrentDropout",
    "Stack",
    "StepCell",
    "Zoneout",
    "can_compile",
    "can_pack",
    "choose_padding",
    "compile_steps",
    "describe_engine",
    "form_difference",
    "is_compiled",
    "join_rows",
    "linear_scan",
    "list_leaves",
    "map_state",
    "pack",
    "packed_linear",
    "select_rows",
    "slow_steps",
    "use_engine",
]
