"""Paths below a root folder on which no link is followed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from seqgen.errors import LinkRefused

BY_DESCRIPTOR = {os.open, os.mkdir, os.rename, os.rmdir, os.stat, os.unlink} <= os.supports_dir_fd
"""Whether the system can use names relative to an open folder; Windows cannot."""
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_EXCHANGE = 2  # RENAME_EXCHANGE
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # opening a pipe without a writer must not block; it is refused later
_FLAGS = {
    "rb": os.O_RDONLY | _NONBLOCK,
    "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NONBLOCK,
    "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "r+b": os.O_RDWR | os.O_CREAT | _NONBLOCK,
}


class Directory:
    """An open folder whose entries are accessed without following links.

    Args:
        path: the folder, for messages; on Windows also for access.
        descriptor: the open folder; None on Windows.
    """

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path, self.descriptor = path, descriptor

    def at(self, name: str) -> str:
        """Return a name in the form for calls with ``dir_fd=self.descriptor``."""
        return name if self.descriptor is not None else str(self.path / name)

    def close(self) -> None:
        """Close the folder."""
        if self.descriptor is not None:
            os.close(self.descriptor)

    def names(self) -> list[str]:
        """Return the names of the entries."""
        return os.listdir(self.path if self.descriptor is None else self.descriptor)  # noqa: PTH208

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of an entry, not following a link; None if it does not exist."""
        try:
            return os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def refuse_link(self, name: str) -> None:
        """Raise LinkRefused if an entry is a link or, on Windows, a junction."""
        if (found := self.status(name)) is not None and _is_link(found):
            raise LinkRefused(
                f"cannot use {str(self.path / name)!r}: it is a link, and links inside a folder of seqgen are "
                "not followed; replace it by the file or folder itself"
            )

    def enter(self, name: str, *, make: bool = False) -> Directory:
        """Open a subfolder.

        Args:
            name: its name.
            make: whether to create it if it is missing; its name is then durable.

        Raises:
            LinkRefused: it is a link.
            OSError: it is missing or not a folder.
        """
        if make and self.status(name) is None:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.at(name), dir_fd=self.descriptor)
                self.sync()
        if self.descriptor is None:
            self.refuse_link(name)
            return Directory(self.path / name, None)
        return Directory(self.path / name, self.open(name, _FOLDER))

    def open(self, name: str, flags: int) -> int:
        """Open a file and return its descriptor.

        Raises:
            LinkRefused: it is a link.
            OSError: it cannot be opened.
        """
        if not hasattr(os, "O_NOFOLLOW"):
            self.refuse_link(name)
        try:
            return os.open(self.at(name), flags | _NO_FOLLOW, 0o666, dir_fd=self.descriptor)
        except OSError:
            self.refuse_link(name)
            raise

    def is_same_file(self, name: str, descriptor: int) -> bool:
        """Return whether a name refers to the file or folder that is open as ``descriptor``."""
        found, own = self.status(name), os.fstat(descriptor)
        return found is not None and (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)

    def replace(self, old: str, new: str) -> None:
        """Rename an entry atomically; an existing file is replaced, a link is not followed."""
        os.replace(self.at(old), self.at(new), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def exchange(self, one: str, other: str) -> bool:
        """Swap two entries atomically; return False where this cannot be done, as on systems other than Linux."""
        swap = _renameat2()
        if swap is None or self.descriptor is None:
            return False
        names = os.fsencode(one), os.fsencode(other)
        return bool(swap(self.descriptor, names[0], self.descriptor, names[1], _EXCHANGE) == 0)

    def remove(self, name: str) -> None:
        """Remove a file, a link, or a folder with its content; a missing one is ignored.

        Raises:
            OSError: something cannot be removed.
        """
        found = self.status(name)
        if found is None:
            return
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(found.st_mode) and not _is_link(found):
                shutil.rmtree(self.at(name), dir_fd=self.descriptor)
            else:
                os.unlink(self.at(name), dir_fd=self.descriptor)

    def sync(self) -> None:
        """Make renames and new names in the folder durable; a no-op on Windows."""
        if self.descriptor is not None:
            os.fsync(self.descriptor)


@functools.cache
def _renameat2() -> Any:
    """Return the function of the C library that swaps names, which Python has not; None where there is none."""
    try:
        return ctypes.CDLL(None).renameat2 if sys.platform == "linux" else None
    except (OSError, AttributeError):
        return None


@dataclass(frozen=True)
class SafePath:
    """A file or folder below a root folder; links below the root are not followed.

    A run folder may come from an untrusted source: nothing in it may redirect a read or a write. The root and its
    parents are chosen by the user and may be links. On POSIX each folder of the path is opened relative to its parent
    without following links; on Windows links and junctions are checked for before and after access.

    Attributes:
        root: the root folder.
        names: the parts of the path below the root; () is the root itself.
    """

    root: Path
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path | SafePath) -> SafePath:
        """Return a SafePath unchanged, or a Path as its last part below its parent."""
        return path if isinstance(path, SafePath) else cls(path.parent, (path.name,))

    @property
    def path(self) -> Path:
        """Return the plain path, for messages and for code that may follow links."""
        return self.root.joinpath(*self.names)

    @property
    def name(self) -> str:
        """Return the last part."""
        return self.path.name

    def __truediv__(self, name: str) -> SafePath:
        """Return the path of a name, or of a relative path, in this folder."""
        return SafePath(self.root, (*self.names, *name.split("/")))

    @contextlib.contextmanager
    def opened(self, *, make: bool = False) -> Iterator[Directory]:
        """Open this folder.

        Args:
            make: whether to create it and its missing parents.

        Raises:
            LinkRefused: a folder below the root is a link.
            OSError: a folder is missing, not a folder, or cannot be opened.
        """
        if make:
            make_folder(self.root)
        with contextlib.ExitStack() as stack:
            directory = Directory(self.root, os.open(self.root, _FOLDER) if BY_DESCRIPTOR else None)
            stack.callback(directory.close)
            above = [directory]
            for name in self.names:
                directory = directory.enter(name, make=make)
                stack.callback(directory.close)
                above.append(directory)
            yield directory
            if directory.descriptor is None:
                for one, name in zip(above, self.names, strict=False):
                    one.refuse_link(name)

    def parent(self, *, make: bool = False) -> contextlib.AbstractContextManager[Directory]:
        """Open the parent folder; see :meth:`opened`."""
        return SafePath(self.root, self.names[:-1]).opened(make=make)

    def status(self) -> os.stat_result | None:
        """Return the status of the file or folder; None if it does not exist.

        Raises:
            LinkRefused: it, or a parent below the root, is a link.
            OSError: a parent cannot be opened.
        """
        if not self.names:
            return self.root.stat() if self.root.exists() else None
        try:
            with self.parent() as directory:
                directory.refuse_link(self.names[-1])
                return directory.status(self.names[-1])
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self) -> bool:
        """Return whether it exists; raise LinkRefused if it is a link."""
        return self.status() is not None

    def is_folder(self) -> bool:
        """Return whether it is a folder; raise LinkRefused if it is a link."""
        found = self.status()
        return found is not None and stat.S_ISDIR(found.st_mode)

    def listing(self) -> list[str]:
        """Return the sorted names in this folder, [] if it is not a folder; raise LinkRefused if it is a link."""
        try:
            with self.opened() as directory:
                return sorted(directory.names())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def open(self, mode: Literal["rb", "ab", "xb", "r+b"]) -> BinaryIO:
        """Open this file.

        Args:
            mode: "rb" reads, "ab" appends, "xb" writes a new file, "r+b" reads and writes; "ab" and "r+b" create a
                missing file.

        Raises:
            LinkRefused: it, or a parent below the root, is a link.
            OSError: it cannot be opened, or is not a regular file.
        """
        with self.parent() as directory:
            descriptor = directory.open(self.names[-1], _FLAGS[mode])
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is not a regular file")
        return os.fdopen(descriptor, "wb" if mode == "xb" else mode)

    def read(self) -> bytes:
        """Return the content of this file; see :meth:`open`."""
        with self.open("rb") as file:
            return file.read()


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents; each name is durable at once."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        with SafePath(folder.parent).opened() as directory:
            directory.sync()


def _is_link(found: os.stat_result) -> bool:
    """Return whether a status is that of a link or of a Windows junction."""
    return stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", 0) == 0xA0000003
