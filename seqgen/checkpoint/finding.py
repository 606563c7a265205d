"""Finding the run folder that a user names."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import Any

from seqgen.checkpoint.run_folder import RUN, RunFolder
from seqgen.errors import CheckpointError, LinkRefused, NoSuchRun, nearest_names
from seqgen.files import SafePath

RUNS = Path("runs")
"""The folder of all runs, relative to the current folder."""
_MAX_LISTED = 5  # runs in a message


def list_runs(base: Path) -> list[RunFolder]:
    """Return the run folders in a folder, newest first; those with a damaged run.json come last."""

    def created(run: RunFolder) -> tuple[str, str]:
        try:
            data = run.read_json(RUN)
        except CheckpointError:
            data = None
        return (str(data.get("created", "")) if isinstance(data, dict) else "", run.name)

    paths = [path for path in base.iterdir() if path.name[0] != "."] if base.is_dir() else []
    return sorted((RunFolder(path) for path in paths if _is_run(path)), key=created, reverse=True)


def find_run(name: str | Path | None, base: Path, *, unfinished: bool = False) -> RunFolder:
    """Find the run folder that a user names.

    Args:
        name: a folder, or a name under ``base``; None for the newest run with a checkpoint.
        base: the folder that contains the runs.
        unfinished: whether None prefers the newest run that has not ended.

    Raises:
        NoSuchRun: there is no such run.
    """
    runs = list_runs(base)
    if name is None:
        found = next((run for run in runs if unfinished and (state := _state(run)) and not state["ended"]), None)
        found = found or next((run for run in runs if _state(run)), None)
        if found is None:
            raise NoSuchRun(f"no run with a checkpoint under {str(base)!r}; train one with seqgen train")
        return found
    with contextlib.suppress(OSError):  # a name that is too long for a file
        for path in (Path(name), base / name):
            if _is_run(path):
                return RunFolder(path)
        if Path(name).is_dir():
            raise NoSuchRun(f"{str(name)!r} is not a run folder: it has no {RUN}")
    raise NoSuchRun(f"no run {str(name)!r:.200}{_available_runs([run.name for run in runs], str(name), base)}")


def _state(run: RunFolder) -> dict[str, Any] | None:
    """Return the state of the newest checkpoint; None if there is no usable one."""
    try:
        return run.latest_state()
    except LinkRefused:
        return None


def _is_run(path: Path) -> bool:
    """Return whether a folder has a run.json; a link counts, and is refused when it is read."""
    try:
        found = (SafePath(path) / RUN).status()
    except LinkRefused:
        return True
    except OSError:
        return False
    return found is not None and stat.S_ISREG(found.st_mode)


def _available_runs(names: list[str], asked: str, base: Path) -> str:
    """Return a clause that lists the newest runs, for a name that matches none of them."""
    if not names:
        return f"; there are no runs under {str(base)!r}: train one with seqgen train"
    more = f" and {len(names) - _MAX_LISTED:,} more (seqgen runs)" if len(names) > _MAX_LISTED else ""
    clause = f"; the newest under {str(base)!r} are {', '.join(names[:_MAX_LISTED])}{more}"
    return clause + nearest_names(asked, names)
