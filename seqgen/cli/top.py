"""``seqgen top``."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer
from rich.text import Text

from seqgen.cli.common import Json, RunName, everywhere, show, show_json
from seqgen.cli.decoding import decoding
from seqgen.cli.runs import load_run
from seqgen.render import EMPTY_ROW, Listing

_NO_FLAG = ("seed", "exact", "batch_size")  # settings of sampling that search does not have


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(top, flags=decoding("top", "DecodeConfig", without=_NO_FLAG)))


def top(
    *,
    run: RunName = None,
    n: Annotated[int, typer.Option("-n", "--num", help="Number of rows.", min=1)] = 20,
    nodes: Annotated[int, typer.Option(help="Maximum number of prefixes to expand.", min=1)] = 100_000,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Checkpoint to load.")] = "best",
    as_json: Json = False,
    settings: dict[str, Any],
) -> None:
    """Find the most probable rows of a run, and report how many are proven within --nodes."""
    loaded = load_run(run, checkpoint)
    found = loaded.top(n, n_nodes=nodes, **settings)
    proven = f"{found.n_proven:,} of {n:,} proven"
    if len(found.texts) < n and found.unseen_nats == math.inf:
        proven = f"there are only {len(found.texts):,} rows"
    elif found.unseen_nats < math.inf:
        proven += f"; all other rows have p of at most {math.exp(-found.unseen_nats):.3g}"
    rows: list[dict[str, Any]] = [
        {"rank": rank, "text": row.text, "p": math.exp(-row.nats), "nats": row.nats, "proven": rank <= found.n_proven}
        for rank, row in enumerate(found, 1)
    ]
    if as_json:
        show_json(
            {
                "rows": rows,
                "proven": found.n_proven,
                "unseen_nats": found.unseen_nats,
                "nodes": found.n_nodes,
            }
        )
        return
    show(Text(f"{proven} ({found.n_nodes:,} prefixes expanded)"))
    rows = [{**row, "text": row["text"] or EMPTY_ROW, "p": f"{row['p']:.3g}"} for row in rows]
    show(Listing(rows, ["rank", "text", "p", "nats", "proven"]))
