"""Publishing: what is put in place is whole or not there at all.

The order is that of a database: write to a temporary name beside the target, flush, fsync the file, rename, fsync
the folder. After a crash or a power loss either the old or the new content is there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from seqgen.errors import DiskError
from seqgen.files.safe_path import SafePath
from seqgen.files.temporary import remove_abandoned, remove_atomically, temporary_file, temporary_folder


@contextlib.contextmanager
def disk_errors(path: Path, n_bytes: int | None = None) -> Iterator[None]:
    """Turn what the operating system says about ``path`` into one line.

    Args:
        path: what is written.
        n_bytes: how much that is, if it is known.

    Raises:
        DiskError: an OSError happened inside.
    """
    try:
        yield
    except OSError as error:
        room = ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) and (free := free_bytes(path)) is not None:
            needed = "" if n_bytes is None else f"{n_bytes:,} bytes needed, "
            room = f" ({needed}{free:,} bytes free)"
        raise DiskError(f"cannot write {str(path)!r}: {error.strerror or error}{room}") from error


def free_bytes(path: Path) -> int | None:
    """Room on the disk of a path, which need not exist; None if the system does not tell."""
    try:
        return shutil.disk_usage(nearest_existing(path)).free
    except OSError:
        return None


def nearest_existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return path if path.exists() else next((parent for parent in path.parents if parent.exists()), Path("/"))


def write_synced(path: SafePath, data: bytes) -> None:
    """Write a new file and fsync it; the name itself is not yet durable."""
    with path.open("xb") as file:
        _write(file, data)


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def write_atomic(path: Path | SafePath, data: bytes, *, make_parents: bool = False) -> None:
    """Put a file in place atomically, replacing an older one.

    Args:
        path: its place. A plain path is the user's choice: a link stays, and what it leads to is replaced; a device
            or a pipe is written to.
        data: its content.
        make_parents: whether its folder is made if it is not there.

    Raises:
        LinkRefused: the path is a safe one, and a link.
        DiskError: the disk refused; an older file is untouched.
    """
    if isinstance(path, Path):
        path = path.resolve()
        if path.exists() and not path.is_file():
            with disk_errors(path), path.open("wb") as device:
                device.write(data)
            return
    target = SafePath.of(path)
    with disk_errors(target.path), target.parent(make=make_parents) as directory:
        directory.refuse_link(target.name)
        remove_abandoned(directory)
        with temporary_file(directory) as (name, file):
            _write(file, data)
            if directory.descriptor is None:  # Windows renames no open file
                file.close()
            directory.replace(name, target.name)
            directory.sync()


def write_folder_atomic(folder: Path | SafePath, files: Mapping[str, bytes]) -> None:
    """Put a folder of files in place atomically, in the order given; the name must be free or an empty folder.

    Args:
        folder: its place.
        files: the content of each, by names that may lie in folders of their own: "src/mycell/cell.py".

    Raises:
        LinkRefused: a folder on the way is a link.
        DiskError: the disk refused; nothing is left behind.
    """

    def fill(new: SafePath) -> None:
        for name, data in files.items():
            with (new / name).parent(make=True):
                write_synced(new / name, data)

    build_folder(folder, fill, sum(map(len, files.values())))


def build_folder(folder: Path | SafePath, fill: Callable[[SafePath], None], n_bytes: int | None = None) -> None:
    """Put a folder in place atomically, as soon as it is filled; the name must be free or an empty folder.

    Args:
        folder: its place.
        fill: puts synced files into the folder it is given.
        n_bytes: how much that is, if it is known.

    Raises:
        LinkRefused: a folder on the way is a link.
        DiskError: the disk refused; nothing is left behind.
    """
    target = SafePath.of(folder)
    with disk_errors(target.path, n_bytes), target.parent(make=True) as directory:
        remove_abandoned(directory)
        with temporary_folder(directory) as name:
            new = SafePath(target.root, (*target.names[:-1], name))
            fill(new)
            with new.opened() as filled:
                filled.sync()
            directory.replace(name, target.name)
            directory.sync()


def remove_folders(folder: SafePath, names: Sequence[str]) -> None:
    """Remove folders of a folder with what is in them; each is gone at once, however long its removal takes.

    Args:
        folder: where they are.
        names: theirs; one that is not there is left out.

    Raises:
        LinkRefused: one is a link.
        DiskError: the disk refused.
    """
    if names:
        with disk_errors(folder.path), folder.opened() as directory:
            remove_atomically(directory, list(names))


def remove_temporaries(folder: Path | SafePath) -> None:
    """Remove what killed processes left half-written in a folder of seqgen's own.

    Raises:
        LinkRefused: the folder is a safe path, and a link or reached through one.
    """
    safe = SafePath(folder) if isinstance(folder, Path) else folder
    with contextlib.suppress(OSError), safe.opened() as directory:
        remove_abandoned(directory, own=True)


def dump_json(value: Any) -> bytes:
    """JSON as it is stored: indented, UTF-8, keys in their order, one final line end."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "surrogatepass")


def cache_folder(name: str) -> Path:
    """Where things are kept that can be made again; ``XDG_CACHE_HOME`` says where all programs do so."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqgen" / name
