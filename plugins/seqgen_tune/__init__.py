"""Search for good settings: ``seqgen tune``.

From Python: ``seqgen_tune.runner.tune``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import seqgen

if TYPE_CHECKING:
    import typer


@seqgen.hookimpl
def register_commands(app: typer.Typer) -> None:
    """Add ``seqgen tune``."""
    from seqgen_tune.command import tune

    app.command()(tune)
