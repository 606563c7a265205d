"""Cells: one layer, a function of (input, state) to (output, state)."""

from seqgen.cells.cell import Cell, map_state, select_rows
from seqgen.cells.stack import Stack
from seqgen.cells.step import Recurrent, StepCell

__all__ = ["Cell", "Recurrent", "Stack", "StepCell", "map_state", "select_rows"]
