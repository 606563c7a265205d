"""Live curves and tables of runs, benches and studies: ``seqgen watch``, which only reads files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import seqgen

if TYPE_CHECKING:
    import typer


@seqgen.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add ``seqgen watch``."""
    from seqgen_watch.command import watch

    app.command()(watch)
