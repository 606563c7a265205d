"""``seqgen compare``."""

from __future__ import annotations

from typing import Annotated

import typer

from seqgen.cli.common import Json, complete_runs, everywhere, session, show, show_json, warn


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(compare))


def compare(
    *,
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN...", help="Run folders, or names under runs/.", autocompletion=complete_runs),
    ],
    part: Annotated[
        str, typer.Option(metavar="valid|test", help="The held-out part that sorts and pairs them.")
    ] = "test",
    n: Annotated[int, typer.Option("-n", "--num", help="Samples of each to judge; 0: none.", min=0)] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the samples.", min=0)] = 0,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Which checkpoint.")] = "best",
    as_json: Json = False,
) -> None:
    """Put runs side by side: what they learned, how much worse than the best each is, in what they differ."""
    import dataclasses

    import seqgen.api.compare
    from seqgen.api.compare import PARTS
    from seqgen.render import compare_view

    found = seqgen.api.compare.compare(
        runs,
        part=part,  # type: ignore[arg-type]  # looked at there
        n=n,
        seed=seed,
        checkpoint=checkpoint,
        plugins=session.plugins,
        warn=warn,
    )
    for note in found.notes:
        warn(note)
    if as_json:
        show_json(dataclasses.asdict(found))
    else:
        show(compare_view(found.rows, found.settings, PARTS[found.part]))
