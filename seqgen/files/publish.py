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
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqgen.errors import CheckpointError, DiskError

_TEMPORARY = ".tmp-"


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
        return shutil.disk_usage(existing(path)).free
    except OSError:
        return None


def existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return path if path.exists() else next((parent for parent in path.parents if parent.exists()), Path("/"))


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder durable; Windows has no such call."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, as far as they are missing; each name is durable at once."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and fsync it; the name itself is not yet durable."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def publish_file(path: Path, data: bytes, *, in_new_folder: bool = False) -> None:
    """Put a file in place atomically, replacing an older one.

    Args:
        path: its place.
        data: its content.
        in_new_folder: whether its folder is made if it is not there.

    Raises:
        DiskError: the disk refused; an older file is untouched.
    """
    path = path.resolve()  # a link stays, what it leads to is replaced
    temporary = path.with_name(f"{_TEMPORARY}{path.name}-{os.getpid()}")
    with disk_errors(path):
        if in_new_folder:
            make_folder(path.parent)
        if path.exists() and not path.is_file():  # a device or a pipe is written to, and never replaced
            with path.open("wb") as file:
                file.write(data)
            return
        try:
            write_synced(temporary, data)
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def publish_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder of files in place atomically, in the order given; the name must be free or an empty folder.

    Args:
        folder: its place.
        files: the content of each, by names that may lie in folders of their own: "src/mycell/cell.py".

    Raises:
        DiskError: the disk refused; nothing is left behind.
    """

    def fill(new: Path) -> None:
        for name, data in files.items():
            make_folder((new / name).parent)
            write_synced(new / name, data)

    build_folder(folder, fill, sum(map(len, files.values())))


def build_folder(folder: Path, fill: Callable[[Path], None], n_bytes: int | None = None) -> None:
    """Put a folder in place atomically, as soon as it is filled; the name must be free or an empty folder.

    Args:
        folder: its place.
        fill: puts synced files into the folder it is given.
        n_bytes: how much that is, if it is known.

    Raises:
        DiskError: the disk refused; nothing is left behind.
    """
    temporary = folder.with_name(f"{_TEMPORARY}{folder.name}-{os.getpid()}")
    with disk_errors(folder, n_bytes):
        try:
            make_folder(folder.parent)
            temporary.mkdir()
            fill(temporary)
            sync_folder(temporary)
            temporary.replace(folder)
            sync_folder(folder.parent)
        finally:
            remove_folder(temporary)


def remove_folder(folder: Path) -> None:
    """Remove a folder and what is in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_temporaries(folder: Path) -> None:
    """Remove what a killed process left half-written in a folder.

    Raises:
        DiskError: the disk refused.
    """
    for path in folder.glob(f"{_TEMPORARY}*"):
        with disk_errors(path):
            remove_folder(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def refuse_link(path: Path) -> None:
    """A file that is written to in place must not lead elsewhere: a run folder may come from anybody.

    Raises:
        CheckpointError: it is a link.
    """
    if path.is_symlink():
        raise CheckpointError(f"{str(path)!r} is a link, and would be written to: put a file in its place")


def dump_json(value: Any) -> bytes:
    """JSON as it is stored: indented, UTF-8, keys in their order, one final line end."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "surrogatepass")


def cache_folder(name: str) -> Path:
    """Where things are kept that can be made again; ``XDG_CACHE_HOME`` says where all programs do so."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqgen" / name
