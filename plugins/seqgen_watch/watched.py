"""The folders that ``seqgen watch`` shows: named ones, or what is trained under runs/."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import seqgen
from seqgen_watch.files import folders_in, is_folder, stamp_of
from seqgen_watch.groups import WatchedGroup, kind_of
from seqgen_watch.run import WatchedRun
from seqgen_watch.view import View

RUNS = Path("runs")
_MOST_LISTED = 5  # folders in a message


class Named:
    """Folders that a user names.

    Args:
        names: folders, or names under runs/.

    Raises:
        NoSuchRun: one is no run, bench or study.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._found = [_find(name) for name in dict.fromkeys(names)]

    def look(self) -> list[View]:
        """Return all as their files have them now."""
        return [found.look() for found in self._found]


class UnderRuns:
    """All that is trained under runs/ or in the current folder, found as it comes; the newest where nothing is.

    Raises:
        NoSuchRun: there is nothing.
    """

    def __init__(self) -> None:
        self._known: dict[Path, WatchedRun | WatchedGroup] = {}
        self._shown: set[Path] = set()  # those that were seen to run
        self._find()
        if not self._known:
            raise seqgen.NoSuchRun(
                "no run in 'runs' or the current folder; train one with seqgen train, or name a folder"
            )

    def look(self) -> list[View]:
        """Return what runs, or has run since this watch began; else the newest."""
        self._find()
        looked_at = [path for path in self._known if path in self._shown or self._is_held(path)]
        views = {path: self._known[path].look() for path in looked_at}
        self._shown |= {path for path, view in views.items() if view.runs}
        shown = [view for path, view in sorted(views.items()) if path in self._shown]
        newest = max(self._known, key=self._begun, default=None)
        return shown or ([] if newest is None else [self._known[newest].look()])

    def _is_held(self, path: Path) -> bool:
        """Return whether a folder may be in use; the lock file of a run that is not is empty."""
        lock = stamp_of(path / ".lock")
        return isinstance(self._known[path], WatchedGroup) or (lock is not None and lock[1] > 0)

    def _find(self) -> None:
        beside = (Path(name) for name in folders_in(Path()) if stamp_of(Path(name) / ".lock"))  # not what is exported
        for path in (*(RUNS / name for name in folders_in(RUNS)), *beside):
            if path not in self._known and (make := kind_of(path)) is not None:
                self._known[path] = make()
        for path in [path for path in self._known if kind_of(path) is None]:
            del self._known[path]

    def _begun(self, path: Path) -> int:
        files = (stamp_of(path / file) for file in ("run.json", "study.json", "results.json"))
        return max((stamp[2] for stamp in files if stamp is not None), default=0)


def _find(name: str) -> WatchedRun | WatchedGroup:
    for path in (Path(name), RUNS / name):
        if (make := kind_of(path)) is not None:
            return make()
    if is_folder(Path(name)):
        way = "seqgen watch without a folder shows all that is in runs/"
        raise seqgen.NoSuchRun(f"{name!r} is not the folder of a run, a bench or a study; {way}")
    known = folders_in(RUNS)
    near = difflib.get_close_matches(name, known, n=1)
    more = ", ..." if len(known) > _MOST_LISTED else ""
    listed = f"; under {str(RUNS)!r}: {', '.join(known[:_MOST_LISTED])}{more}" if known else ""
    hint = f"; did you mean {near[0]!r}?" if near else listed
    raise seqgen.NoSuchRun(f"no run, bench or study {name!r}{hint}")
