"""The command ``seqgen play``: explore what a run expects after a prefix, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import seqgen

if TYPE_CHECKING:
    import typer


@seqgen.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add ``seqgen play``."""
    from seqgen_play.command import play

    app.command()(play)
