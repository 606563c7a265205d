"""``seqgen checkpoint verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from seqgen.cli.common import Json, RunName, everywhere, show, show_json
from seqgen.errors import CheckpointError
from seqgen.render import Listing

if TYPE_CHECKING:
    from seqgen.checkpoint import RunFolder

_LOOKS = 10  # until a checkpoint stays as long as it is read, where a run saves all the time


def add_commands(app: typer.Typer) -> None:
    """Add this module's group."""
    group = typer.Typer(help="Verify checkpoints.", no_args_is_help=True)
    group.callback()(lambda: None)  # a group even while it has one command
    group.command()(everywhere(verify))
    app.add_typer(group, name="checkpoint")


def verify(*, run: RunName = None, as_json: Json = False) -> None:
    """Check every checkpoint and log of a run against its manifests; exit 4 if one is damaged."""
    from seqgen.checkpoint import find_run

    folder = find_run(run)
    rows: list[dict[str, Any]] = []
    for _ in range(_LOOKS):
        rows = [row for step in folder.steps() if (row := _verified(folder, step)) is not None]
        if rows:
            break
    if as_json:
        show_json(rows)
    else:
        show(Listing(rows, ("step", "state", "logs", "bytes", "problem"), str(folder.path)))
    damaged = [row for row in rows if row["state"] != "ok"]
    if damaged or not rows:
        what = f"{len(damaged)} of {len(rows)} checkpoints are damaged" if rows else "there is no checkpoint"
        raise CheckpointError(f"{folder.path}: {what}")
    if any(row["logs"] == "damaged" for row in rows):
        raise CheckpointError(f"{folder.path}: a log is damaged; the checkpoints can be used")


def _verified(folder: RunFolder, step: int) -> dict[str, Any] | None:
    """Return the row of a checkpoint; None if a run that is training has removed it meanwhile."""
    from seqgen.checkpoint import check_logs

    row: dict[str, Any] = {"step": step, "state": "ok", "logs": "no checksums", "bytes": None, "problem": ""}
    for last in (False, True):  # twice, since a run that is training may have just written it anew
        try:
            row["bytes"] = folder.verify(step)
            if (problems := check_logs(folder, step)) is not None:
                row |= {"logs": "damaged" if problems else "ok", "problem": "; ".join(problems)}
            break
        except CheckpointError as error:
            if step not in folder.steps():
                return None
            if last:
                row |= {"state": "damaged", "logs": None, "problem": str(error)}
    return row
