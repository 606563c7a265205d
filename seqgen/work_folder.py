"""A folder of runs and results that a plugin keeps, with the care that a run folder gets."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from seqgen.api.run import Run
from seqgen.checkpoint import RUNS, RunFolder
from seqgen.errors import BadOption, DiskError
from seqgen.files import (
    FolderLock,
    Holder,
    SafePath,
    dump_json,
    find_holder,
    remove_folders,
    remove_temporaries,
    write_atomic,
    write_folder_atomic,
)
from seqgen.plugins import PluginsArgument, choose_plugins


class WorkFolder:
    """A folder of runs and results: files are written atomically, and no link inside it is followed.

    Args:
        path: an existing folder; :meth:`create` and :meth:`open` make one.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = SafePath(path)

    @classmethod
    def create(cls, stem: str, files: Mapping[str, Any]) -> WorkFolder:
        """Create ``runs/STEM-001``, or the next free number.

        Args:
            stem: of its name; characters other than letters, digits, "_", "-" and "." become "-".
            files: its first files, at least one: JSON values by name.

        Raises:
            BadOption: the name of a file leads out of the folder.
            DiskError: the disk refused.
        """
        content = {_inside(name, Path(RUNS, stem)): dump_json(value) for name, value in files.items()}
        return cls(RunFolder.create_numbered(RUNS, re.sub(r"[^\w.-]+", "-", stem), content).path)

    @classmethod
    def open(cls, path: str | Path, files: Mapping[str, Any]) -> WorkFolder:
        """Open a folder, or create it; remove the temporary files of processes that were killed in it.

        Args:
            path: the folder.
            files: its first files if it is created: JSON values by name.

        Raises:
            BadOption: it is a file, or the folder of a run; or the name of a file leads out of it.
            DiskError: the disk refused.
        """
        folder = cls(Path(path))
        if os.path.lexists(folder.path / "run.json") or (folder.path.exists() and not folder.path.is_dir()):
            raise BadOption(f"cannot use {str(folder.path)!r} as a folder of runs: name a new one")
        if not folder.path.exists():
            content = {_inside(name, folder.path): dump_json(value) for name, value in files.items()}
            try:
                write_folder_atomic(folder.path, content)  # whole, for whoever opens it at the same time
            except DiskError:
                if not folder.path.is_dir():  # another process has made it meanwhile
                    raise
        remove_temporaries(folder._files)
        return folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out while the block runs.

        Raises:
            RunLocked: another process is in it.
        """
        lock = FolderLock(self.path)
        try:
            yield
        finally:
            lock.release()

    def holder(self) -> Holder | None:
        """Return the process that holds the folder, or was killed holding it, without touching its lock.

        Returns:
            Its ``pid``, ``host``, ``since`` (seconds since the epoch) and ``alive``, which is None on another machine;
            None where no process does. The folder of a run is held by the process that trains it.

        Raises:
            CheckpointError: the lock file is a link.
        """
        return find_holder(self._files)

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            BadOption: the name leads out of the folder.
            OSError: it cannot be read.
            CheckpointError: it is a link.
        """
        return (self._files / _inside(name, self.path)).read()

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically.

        Raises:
            BadOption: the name leads out of the folder.
            CheckpointError: it is a link.
            DiskError: the disk refused.
        """
        write_atomic(self._files / _inside(name, self.path), data, make_parents=True)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file atomically; see :meth:`write`."""
        self.write(name, dump_json(value))

    def run(self, name: str, plugins: PluginsArgument = None) -> Run | None:
        """Return the run in a folder of this one, or None if there is none.

        Raises:
            BadOption: the name leads out of the folder.
            CheckpointError: its run.json is damaged, or a link.
        """
        folder = RunFolder(self.path / _inside(name, self.path), self.path)
        if not (folder.files / "run.json").exists():
            return None
        return Run(folder, folder.settings(), choose_plugins(plugins))

    def remove(self, name: str) -> None:
        """Remove a folder of this one with all that it holds, or a file.

        Raises:
            BadOption: the name leads out of the folder.
            CheckpointError: it is a link.
            DiskError: the disk refused.
        """
        remove_folders(self._files, [_inside(name, self.path)])


def _inside(name: str, folder: Path) -> str:
    """Return a relative path that does not lead out of a folder.

    Raises:
        BadOption: it does, or is the folder itself.
    """
    parts = PurePath(name).parts
    if not parts or ".." in parts or "\0" in name or PurePath(name).is_absolute():
        raise BadOption(f"{name!r} is no name within {str(folder)!r}: leave out .. and a / at the beginning")
    return "/".join(parts)
