"""Runs over HTTP, in the shapes of OpenAI's completions, with a web page: ``seqgen serve``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import seqgen

if TYPE_CHECKING:
    import typer


@seqgen.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add ``seqgen serve``."""
    from seqgen_serve.command import serve

    app.command()(serve)
