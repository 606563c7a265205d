"""Comparing cells and runs: ``seqgen bench`` and ``seqgen compare``.

From Python: ``seqgen_bench.runner.bench`` and ``seqgen_bench.compare.compare``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import seqgen

if TYPE_CHECKING:
    import typer


@seqgen.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add ``seqgen compare`` and ``seqgen bench``."""
    from seqgen_bench.command import bench, compare

    app.command()(compare)
    app.command()(bench)
