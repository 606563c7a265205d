"""The kit for exporters: a run as plain values that another form can hold.

- :func:`one_step` returns the network's step as a module of tensors, on which all exports are built.
- :func:`traced_program` returns that as a program of torch's core operations.
- :func:`counts_of` returns the counts of a blend as arrays.
- :func:`repeats_of` returns the gate of what a record repeats, and :func:`mixed_with` words for both.
- :func:`symbols_of` returns what is needed to read and write texts.
- :func:`sampling_files` returns a run folder without what only training needs.

Names are loaded when they are first used, so that the options of an exporter are shown without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "CountTables": "mixture", "counts_of": "mixture", "RepeatGate": "mixture", "repeats_of": "mixture",
    "mixed_with": "mixture", "OneStep": "step", "one_step": "step", "probe_rows": "step", "replayed": "step",
    "traced_program": "program", "sampling_files": "run_files", "Symbols": "symbols", "symbols_of": "symbols",
}  # fmt: skip
__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from seqgen.exporting.mixture import CountTables as CountTables
    from seqgen.exporting.mixture import RepeatGate as RepeatGate
    from seqgen.exporting.mixture import counts_of as counts_of
    from seqgen.exporting.mixture import mixed_with as mixed_with
    from seqgen.exporting.mixture import repeats_of as repeats_of
    from seqgen.exporting.program import traced_program as traced_program
    from seqgen.exporting.run_files import sampling_files as sampling_files
    from seqgen.exporting.step import OneStep as OneStep
    from seqgen.exporting.step import one_step as one_step
    from seqgen.exporting.step import probe_rows as probe_rows
    from seqgen.exporting.step import replayed as replayed
    from seqgen.exporting.symbols import Symbols as Symbols
    from seqgen.exporting.symbols import symbols_of as symbols_of


def __getattr__(name: str) -> Any:
    """Load a name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'seqgen.exporting' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"seqgen.exporting.{_HOME[name]}"), name)
    return value
