"""``seqgen runs``, and ``seqgen show run``: which runs there are, and what one was made with. Neither needs torch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqgen.cli.common import Json, everywhere, say, session, show, show_json, warn
from seqgen.errors import CheckpointError, LinkRefused, UsageError
from seqgen.files import find_holder
from seqgen.render import Listing, spec_view

if TYPE_CHECKING:
    from seqgen import Run
    from seqgen.checkpoint import RunFolder, RunSettings

_UNFINISHED, _RUNNING = "can be resumed", "running"
_BEST = "best bits/char"  # of the best step, which need not be the last
_DIGEST = 64  # characters of a SHA-256
_Folder = Annotated[
    Path | None, typer.Argument(help="Folder of the runs; default: runs, and the current folder.", show_default=False)
]
_SHOWN = ("corpus", "tokenizer", "model", "cell", "train", "augmentation", "start", "engine", "environment")


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("runs")(everywhere(list_runs))


def load_run(name: str | None, checkpoint: str) -> Run:
    """Load a run for a command, and say which one it is where the user names none of several.

    Args:
        name: a folder, or a name under runs/; None: the newest run with a checkpoint.
        checkpoint: best, latest or a step.
    """
    import seqgen
    from seqgen.checkpoint import RUNS
    from seqgen.checkpoint import list_runs as find_all

    run = seqgen.load(name, checkpoint=checkpoint, plugins=session.plugins, warn=warn)
    if name is None and run.state and len(find_all(RUNS, beside=True)) > 1:  # one that cannot be read is an error
        say(f"{run.folder.name}: the newest run")
    return run


def list_runs(*, folder: _Folder = None, as_json: Json = False) -> None:
    """List runs, the newest first; `seqgen show run RUN` has the settings of one."""
    from seqgen.checkpoint import RUNS, name_for_commands
    from seqgen.checkpoint import list_runs as find_all

    if folder is not None and not folder.is_dir():
        raise UsageError(f"no folder {str(folder)!r} to list runs of")
    if folder is not None and (folder / "run.json").is_file():
        raise UsageError(f"{str(folder)!r} is a run: seqgen show run {shlex.quote(str(folder))} shows it")
    runs = find_all(folder or RUNS, beside=folder is None)
    rows = [_row_or_why(run) | ({"run": name_for_commands(run)} if folder is None else {}) for run in runs]
    if as_json:
        show_json(rows)
        return
    some = tuple(
        column for column in ("from", "refit of", "conditions", "blend") if any(row.get(column) for row in rows)
    )
    models = ("model",) if {row.get("model") for row in rows} - {None, "recurrent"} else ()
    columns = ("run", "corpus", *models, "cell", *some, "parameters", "step", _BEST, "state")
    shown = [
        {
            **row,
            _BEST: row.get("bits_per_char"),
            "state": _state(row),
            "conditions": ", ".join(row.get("conditions", ())),
        }
        for row in rows
    ]
    show(Listing(shown, columns, folded=("run",), spare=("parameters", "cell", "corpus", "step")))


def show_run(name: str | None, as_json: bool) -> None:
    """Show what a run was made with, as run.json has it.

    Args:
        name: a folder, or a name under runs/; None: the newest run with a checkpoint.
        as_json: print JSON.

    Raises:
        NoSuchRun: there is none.
        CheckpointError: its run.json is damaged or too new.
    """
    from seqgen.checkpoint import find_run

    run = find_run(name)
    settings, row = run.settings(), _row(run)
    if as_json:
        show_json(row | {"settings": settings.model_dump(mode="json")})
    else:
        facts = {"run": str(run.path), "created": f"{row['created']} UTC", "state": _state(row)}
        facts |= {name.replace("_", " "): row[name] for name in ("step", "bits_per_char", "parameters")}
        facts |= {"blended with": row["blend"]} if row.get("blend") else {}
        if settings.refit is not None:
            refit = settings.refit
            facts["refit of"] = f"{refit.run}: its best step, {refit.step:,}, corresponds to {refit.steps:,} here"
        show(spec_view(facts | _by_part(settings)))


def _row_or_why(run: RunFolder) -> dict[str, Any]:
    """Return the row of a run in a list; for a folder with a link, the row says so."""
    try:
        return _row(run)
    except LinkRefused as error:
        return {"run": run.name, "missing": [], "state": str(error)}


def _row(run: RunFolder) -> dict[str, Any]:
    """Return the row of a run."""
    from seqgen.api.missing_plugin import missing_plugins
    from seqgen.checkpoint import damaged_logs

    row: dict[str, Any] = {"run": run.name, "missing": []}
    try:
        settings = run.settings()
    except CheckpointError as error:
        return row | {"state": str(error)}
    state, best = run.latest_state(), []
    going = "damaged (seqgen checkpoint verify)" if run.steps() else "no checkpoint"
    if (holder := find_holder(run.files)) is not None and holder.may_run:
        going = _RUNNING
    elif state is not None:
        going = _UNFINISHED
    try:
        for line in damaged_logs(run):
            warn(line)
        best = [line for line in run.metrics.rows() if state and line.get("step") == state["best_step"]]
    except LinkRefused:
        raise
    except CheckpointError as error:  # everything else can still be said
        warn(str(error))
    return row | {
        "corpus": settings.corpus.title,
        "model": settings.model.name.rpartition(":")[2],
        "cell": settings.architecture,
        "parameters": settings.n_parameters,
        "step": state["step"] if state else None,
        "bits_per_char": best[0].get("valid_bits_per_char") if best else None,
        "state": (state and state["ended"]) or going,
        "from": Path(settings.start.run).name if settings.start is not None else None,
        "refit of": Path(settings.refit.run).name if settings.refit is not None else None,
        "conditions": list(settings.conditions),
        "blend": _mixed_with(settings, best) if state is not None else None,
        "missing": missing_plugins(session.plugins, settings),
        "created": settings.created[:16].replace("T", " "),
    }


def _mixed_with(settings: RunSettings, best: list[dict[str, Any]]) -> str | None:
    """Return what the network is mixed with at the best step of a run, by the line of its log; None: nothing."""
    refit = settings.refit
    blended, repeating = settings.train.blend == "ngram", False
    if refit is not None:
        blended, repeating = refit.gate is not None, refit.repeats is not None
    if best and "valid_network_bits_per_char" in best[0]:
        mixed = best[0]["valid_bits_per_char"]
        blend = best[0].get("valid_without_repeats_bits_per_char", mixed)
        blended, repeating = best[0]["valid_network_bits_per_char"] != blend, blend != mixed
    return " and ".join(["ngram"] * blended + ["repeats"] * repeating) or None


def _state(row: dict[str, Any]) -> str:
    ended = row.get("step") is not None and row["state"] not in (_UNFINISHED, _RUNNING)
    return "; ".join([f"ended: {row['state']}" if ended else row["state"], *row["missing"]])


def _by_part(settings: RunSettings) -> dict[str, str]:
    """Return the settings, one line per part: its name and its options."""
    from seqgen.checkpoint import flatten_used

    lines = {"conditions": ", ".join(settings.conditions)}
    flat, n_cells = flatten_used(settings, _SHOWN), len(settings.cells)
    cells = ["cell"] if n_cells < 2 else [f"cell.{n}" for n in range(1, n_cells + 1)]
    kinds = [kind for kind in _SHOWN if getattr(settings, kind) is not None]
    for part in (part for kind in kinds for part in (cells if kind == "cell" else [kind])):
        leaves = {name.removeprefix(f"{part}."): item for name, item in flat.items() if name.startswith(f"{part}.")}
        found = {name.removeprefix("options."): value for name, value in leaves.items() if value not in (None, [])}
        said = [f"{name}={_short(value)}" for name, value in found.items() if name != "name"]
        lines[part] = " ".join([*([found["name"]] if "name" in found else []), *said])
    lines["plugins"] = ", ".join(f"{plugin['package']} {plugin['version']}" for plugin in settings.plugins)
    return lines


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "/".join(map(_short, value))
    if isinstance(value, str) and len(value) == _DIGEST:
        return f"{value[:12]}…"
    return repr(value) if isinstance(value, str) and (" " in value or not value) else str(value)
