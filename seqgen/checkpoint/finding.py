"""How the folder of a run is found."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import Any

from seqgen.checkpoint.run_folder import RUN, RunFolder
from seqgen.errors import CheckpointError, LinkRefused, NoSuchRun, nearest_names
from seqgen.files import SafePath

_NAMED = 5  # runs, in a message


def list_runs(base: Path) -> list[RunFolder]:
    """The run folders under a folder, the newest first; those whose run.json is damaged come last."""

    def created(run: RunFolder) -> tuple[str, str]:
        try:
            data = run.read_json(RUN)
        except CheckpointError:
            data = None
        return (str(data.get("created", "")) if isinstance(data, dict) else "", run.name)

    paths = [path for path in base.iterdir() if path.name[0] != "."] if base.is_dir() else []
    return sorted((RunFolder(path) for path in paths if _is_run(path)), key=created, reverse=True)


def find_run(name: str | Path | None, base: Path, *, unfinished: bool = False) -> RunFolder:
    """The run that a user means.

    Args:
        name: a folder, or a name under ``base``; None is the newest run with a checkpoint.
        base: where runs are kept.
        unfinished: whether None is rather the newest that has not ended, if there is one.

    Raises:
        NoSuchRun: there is none.
    """
    runs = list_runs(base)
    if name is None:
        found = next((run for run in runs if unfinished and (state := _state(run)) and not state["ended"]), None)
        found = found or next((run for run in runs if _state(run)), None)
        if found is None:
            raise NoSuchRun(f"no run with a checkpoint under {str(base)!r}: train one with seqgen train")
        return found
    with contextlib.suppress(OSError):  # a name that is too long for a file
        for path in (Path(name), base / name):
            if _is_run(path):
                return RunFolder(path)
        if Path(name).is_dir():
            raise NoSuchRun(f"{str(name)!r} is not a run folder: it holds no {RUN}")
    raise NoSuchRun(f"no run {str(name)!r:.200}{_those_there([run.name for run in runs], str(name), base)}")


def _state(run: RunFolder) -> dict[str, Any] | None:
    """The state of the newest checkpoint; None if there is none that can be used."""
    try:
        return run.latest_state()
    except LinkRefused:
        return None


def _is_run(path: Path) -> bool:
    """Whether a folder has a run.json; one that is a link counts, and is refused by who reads it."""
    try:
        found = (SafePath(path) / RUN).status()
    except LinkRefused:
        return True
    except OSError:
        return False
    return found is not None and stat.S_ISREG(found.st_mode)


def _those_there(names: list[str], asked: str, base: Path) -> str:
    """A clause on the runs that there are, the newest first, for who asked for none of them."""
    if not names:
        return f"; there is none under {str(base)!r}: train one with seqgen train"
    more = f" and {len(names) - _NAMED:,} more (seqgen runs)" if len(names) > _NAMED else ""
    there = f"; under {str(base)!r} there are, the newest first, {', '.join(names[:_NAMED])}{more}"
    return there + nearest_names(asked, names)
