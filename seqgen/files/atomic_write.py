"""Atomic writes of files and folders: after a crash the target is either complete or absent.

As in a database: write to a temporary name beside the target, flush, fsync the file, rename, fsync the folder. After a
crash or a power loss the target has either its old or its new content.
"""

from __future__ import annotations

import contextlib
import errno
import mimetypes
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from seqgen.errors import BadOption, DiskError
from seqgen.files.safe_path import SafePath
from seqgen.files.temporary import (
    making_way,
    remove_abandoned,
    remove_atomically,
    temporary_file,
    temporary_folder,
)

_KINDS = mimetypes.MimeTypes()  # those that Python knows, whatever this machine lists
for _suffix in (".onnx", ".parquet", ".safetensors"):  # and it does not
    _KINDS.add_type("application/octet-stream", _suffix)


@contextlib.contextmanager
def disk_errors(path: Path, n_bytes: int | None = None) -> Iterator[None]:
    """Convert an OSError about ``path`` into a DiskError with one line.

    Args:
        path: the file or folder being written.
        n_bytes: its size in bytes, if known.

    Raises:
        DiskError: an OSError was raised inside the context.
    """
    try:
        yield
    except OSError as error:
        space, needed = "", "" if n_bytes is None else f"{n_bytes:,} bytes needed, "
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and (free := free_bytes(path)) is not None:
            space = f" ({needed}{free:,} bytes free)"
        elif error.errno == errno.EFBIG:
            space = f" ({needed}more than the system allows for a file: ulimit -f)"
        raise DiskError(f"cannot write {str(path)!r}: {error.strerror or error}{space}") from error


def check_folder_of(path: Path) -> None:
    """Check that the folder of a file is there, as before the work that the file is for.

    Raises:
        DiskError: it is not.
    """
    if not path.absolute().parent.is_dir():
        raise DiskError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}; make it first")


def check_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Check that the name of a file is not that of another kind of file.

    Args:
        path: the file.
        suffixes: those of its kind, in lower case: (".html", ".htm"); one that no kind of file has is right too.

    Raises:
        BadOption: its suffix is that of another kind, such as ".pdf".
    """
    suffix = path.suffix.lower()
    if suffixes and suffix not in suffixes and _KINDS.guess_type(f"file{suffix}", strict=False)[0]:
        right = str(path.with_suffix(suffixes[0]))
        raise BadOption(f"cannot write {str(path)!r}: it would be no {suffix} file; write {right}")


def free_bytes(path: Path) -> int | None:
    """Return the free disk space at a path, which need not exist, in bytes; None if unknown."""
    try:
        return shutil.disk_usage(next(one for one in (path, *path.parents, Path("/")) if one.exists())).free
    except OSError:
        return None


def write_synced(path: SafePath, data: bytes) -> None:
    """Write a new file and fsync it; its name is not durable until the folder is synced."""
    with path.open("xb") as file:
        _write(file, data)


def _write(file: BinaryIO, data: bytes | Iterable[bytes]) -> None:
    file.writelines((data,) if isinstance(data, bytes) else data)
    file.flush()
    os.fsync(file.fileno())


def check_file(path: Path) -> None:
    """Check that a file can stand at a path, as before the work that the file is for.

    Raises:
        DiskError: its folder is not there, or the path is a folder.
    """
    check_folder_of(path)
    if path.is_dir():
        raise DiskError(f"cannot write {str(path)!r}: it is a folder; name a file in it")


def write_atomic(path: Path | SafePath, data: bytes | Iterable[bytes], *, make_parents: bool = False) -> None:
    """Write a file atomically, replacing an existing one.

    Args:
        path: the file. For a plain Path, chosen by the user, links are followed, and devices and pipes are written to.
        data: its content, whole or in pieces.
        make_parents: whether to create missing parent folders.

    Raises:
        LinkRefused: the path is a SafePath and a link.
        DiskError: writing failed; an existing file is unchanged.
    """
    if isinstance(path, Path):
        if is_special(path):  # by this name: a pipe that /dev/stdout leads to has no other
            with disk_errors(path), path.open("wb") as device:
                device.writelines((data,) if isinstance(data, bytes) else data)
            return
        if not make_parents:
            check_folder_of(path)
        path = path.resolve()
    target = SafePath.of(path)
    with disk_errors(target.path), target.parent(make=make_parents) as directory:
        directory.refuse_link(target.name)
        remove_abandoned(directory)
        with temporary_file(directory) as (name, file):
            _write(file, data)
            if directory.descriptor is None:  # Windows cannot rename an open file
                file.close()
            directory.replace(name, target.name)
            directory.sync()


def is_special(path: Path) -> bool:
    """Return whether something is there that is no file: a device or a pipe, which is written to and never replaced."""
    return path.exists() and not path.is_file()


def write_folder_atomic(folder: Path | SafePath, files: Mapping[str, bytes], *, replaces: bool = False) -> None:
    """Write a folder of files atomically, in the given order.

    Args:
        folder: the folder.
        files: the content of each file by its relative path, such as "src/mycell/cell.py".
        replaces: see ``build_folder``.

    Raises:
        LinkRefused: a parent folder is a link.
        DiskError: writing failed; nothing is left behind.
    """

    def fill(new: SafePath) -> None:
        for name, data in files.items():
            with (new / name).parent(make=True):
                write_synced(new / name, data)

    build_folder(folder, fill, sum(map(len, files.values())), replaces=replaces)


def build_folder(
    folder: Path | SafePath, fill: Callable[[SafePath], None], n_bytes: int | None = None, *, replaces: bool = False
) -> None:
    """Create a folder atomically from what ``fill`` writes.

    Args:
        folder: the folder.
        fill: writes synced files into the temporary folder it is given.
        n_bytes: the size of all files in bytes, if known.
        replaces: whether an existing folder is replaced, once the new one is complete; else it must be empty.

    Raises:
        LinkRefused: a parent folder is a link.
        DiskError: writing failed; nothing is left behind, and an existing folder is unchanged.
    """
    target = SafePath.of(folder)
    with disk_errors(target.path, n_bytes), target.parent(make=True) as directory:
        remove_abandoned(directory)
        with temporary_folder(directory) as name:
            new = SafePath(target.root, (*target.names[:-1], name))
            fill(new)
            with new.opened() as filled:
                filled.sync()
            directory.refuse_link(target.name)
            if not (replaces and directory.exchange(name, target.name)):
                with making_way(directory, target.name) if replaces else contextlib.nullcontext():
                    directory.replace(name, target.name)
            directory.sync()  # before what was there is removed, which has the temporary name now


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Replace a file or folder atomically by what is written within the context, unless the context raises.

    Args:
        path: the target, chosen by the user; a folder must be empty or missing.

    Yields:
        A path of the same name in a new folder beside the target, where a file or folder is to be written.

    Raises:
        DiskError: the folder of the target cannot be written to.
    """
    target = SafePath.of(path.resolve())
    with contextlib.ExitStack() as stack:
        with disk_errors(target.path):
            directory = stack.enter_context(target.parent())
            remove_abandoned(directory)
            name = stack.enter_context(temporary_folder(directory))
        new = target.path.parent / name / target.name
        yield new
        with disk_errors(target.path):
            for written in (*(sorted(new.rglob("*")) if new.is_dir() else ()), new):
                if written.is_symlink():
                    continue
                if written.is_dir():
                    with SafePath.of(written).opened() as filled:
                        filled.sync()
                elif written.is_file():
                    with written.open("rb") as file:
                        os.fsync(file.fileno())
            directory.replace(f"{name}/{target.name}", target.name)
            directory.sync()


def remove_folders(folder: SafePath, names: Sequence[str]) -> None:
    """Remove subfolders with their content; each disappears atomically.

    Args:
        folder: the parent folder.
        names: the names of the subfolders; missing ones are ignored.

    Raises:
        LinkRefused: one of them is a link.
        DiskError: removing failed.
    """
    if names:
        with disk_errors(folder.path), folder.opened() as directory:
            remove_atomically(directory, list(names))


def remove_temporaries(folder: Path | SafePath) -> None:
    """Remove temporary files of killed processes from a folder.

    Raises:
        LinkRefused: the folder is a SafePath that is a link or reached through one.
    """
    safe = SafePath(folder) if isinstance(folder, Path) else folder
    with contextlib.suppress(OSError), safe.opened() as directory:
        remove_abandoned(directory)
