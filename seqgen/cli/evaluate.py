"""``seqgen evaluate``."""

from __future__ import annotations

from typing import Annotated

import typer

from seqgen.cli.common import Json, RunName, everywhere, session, show, show_json, warn


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(evaluate))


def evaluate(
    *,
    run: RunName = None,
    n: Annotated[int, typer.Option("-n", "--num", help="Samples to judge.", min=1)] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Which checkpoint.")] = "best",
    as_json: Json = False,
) -> None:
    """Judge a run: held-out losses; valid, unique and novel shares of samples; metrics of its domain."""
    import seqgen.api
    from seqgen.render import spec_view

    loaded = seqgen.api.load(
        run,
        checkpoint=checkpoint,
        plugins=session.plugins,
        warn=warn,
    )
    figures = loaded.evaluate(n, seed=seed)
    if as_json:
        show_json(figures)
    else:
        show(spec_view({name.replace("_", " "): value for name, value in figures.items()}))
