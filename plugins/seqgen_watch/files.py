"""Files of a folder that another process writes, read again only when their stamps change."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import seqgen

Value = TypeVar("Value")
Stamp = tuple[int, int, int]
_MOST = 2**63


def stamp_of(path: Path) -> Stamp | None:
    """Return what changes with a file or folder: its number, size and time of change; None if there is none."""
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def is_file(path: Path) -> bool:
    """Return whether a path is a file; False if it is in a folder that cannot be read, or is no possible name."""
    with contextlib.suppress(OSError, ValueError):
        return path.is_file()
    return False


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder; False if it is in a folder that cannot be read, or is no possible name."""
    with contextlib.suppress(OSError, ValueError):
        return path.is_dir()
    return False


def parse_json(data: bytes) -> dict[str, Any]:
    """Return a JSON object; {} of anything else."""
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(data.decode("utf-8", "surrogatepass"))
        return value if isinstance(value, dict) else {}
    return {}


def parse_lines(data: bytes) -> list[dict[str, Any]]:
    """Return the lines of a log, without those that are no JSON objects, such as a last one that is half written."""
    return [row for line in data.split(b"\n") if line.strip() and (row := parse_json(line))]


def whole(values: Mapping[str, Any], name: str) -> int | None:
    """Return a value of JSON that is a whole number of at least 0; None if it is something else."""
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else None


def number(values: Mapping[str, Any], name: str) -> float | None:
    """Return a value of JSON that is a finite number; None if it is something else."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MOST:
        return None
    return float(value)


def words(values: Mapping[str, Any], name: str) -> str:
    """Return a value of JSON that is a text; "" if it is something else."""
    value = values.get(name)
    return value if isinstance(value, str) else ""


def part(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a value of JSON that is an object; {} if it is something else."""
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def parts(values: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a value of JSON that is a list; [] if it is something else."""
    value = values.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


class Files:
    """The files of a folder, which are never written, locked or followed through a link.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = seqgen.WorkFolder(path)
        self._known: dict[str, tuple[Stamp | None, Any]] = {}

    def read(self, name: str, parse: Callable[[bytes], Value]) -> Value:
        """Return the parsed content of a file, b"" of one that is missing or unreadable."""
        stamp = stamp_of(self.path / name)
        if name not in self._known or self._known[name][0] != stamp:
            self._known[name] = stamp, parse(self.data(name) if stamp is not None else b"")
        value: Value = self._known[name][1]
        return value

    def data(self, name: str) -> bytes:
        """Return the content of a file, b"" of one that is missing, a link or unreadable."""
        with contextlib.suppress(OSError, seqgen.CheckpointError):
            return self._folder.read(name)
        return b""

    def changed(self) -> float:
        """Return when one of the files that were read was last written, seconds since the epoch; 0: none was."""
        return max((stamp[2] / 1e9 for stamp, _ in self._known.values() if stamp is not None), default=0.0)

    def holder(self) -> Any:
        """Return the process that holds the folder, or was killed holding it; None if there is none."""
        with contextlib.suppress(OSError, seqgen.CheckpointError):
            return self._folder.holder()
        return None


def folders_in(path: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted; none of one that is gone."""
    with contextlib.suppress(OSError), os.scandir(path) as found:
        return sorted(entry.name for entry in found if entry.name[0] != "." and entry.is_dir(follow_symlinks=False))
    return []
