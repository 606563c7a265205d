"""Cells: one layer, a function of (input, state) to (output, state)."""

from seqgen.cells.cell import Cell, Dropout, Engine, Recurrent, Stack, StepCell, drawing_masks
from seqgen.cells.linear_scan import linear_scan
from seqgen.cells.step_engine import (
    any_own_form,
    can_compile,
    choose_padding,
    compile_steps,
    count_operations,
    describe_engine,
    is_compiled,
    step_cells,
    untraced_steps,
    use_engine,
)
from seqgen.cells.wrappers import Around, PastAttention, RecurrentDropout, Zoneout

__all__ = [
    "Around", "Cell", "Dropout", "Engine", "PastAttention", "Recurrent", "RecurrentDropout", "Stack", "StepCell",
    "Zoneout", "any_own_form", "can_compile", "choose_padding", "compile_steps", "count_operations", "describe_engine",
    "drawing_masks", "is_compiled", "linear_scan", "step_cells", "untraced_steps", "use_engine",
]  # fmt: skip
