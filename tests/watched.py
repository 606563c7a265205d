"""A watched disk: every change below a folder can be counted, made to fail, or made the last one."""

# ruff: noqa: PTH109, PTH110, PTH115, PTH118

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Operation:
    """A change that is about to be made.

    Attributes:
        kind: open (which makes or empties a file), write, truncate, fsync, mkdir, replace, unlink or rmdir.
        path: of what.
        data: what is written, or b"".
        offset: where it is written; for truncate, the new size.
        target: where it is renamed to, or "".
        new: whether an opened file is emptied or made.
        tear: writes the first half of the data only.
    """

    kind: str
    path: str
    data: bytes = b""
    offset: int = 0
    target: str = ""
    new: bool = False
    tear: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)


Hook = Callable[[int, Operation], None]


def let_pass(number: int, operation: Operation) -> None:
    """A hook that does nothing."""


class Disk:
    """A context in which changes below a folder by this process are counted and passed to a hook beforehand.

    The functions of the operating system are replaced that ``pathlib``, ``shutil`` and ``seqgen.files`` call; files are
    opened with the buffers of ``io.open``, so that a write is told when it reaches the system.

    Args:
        root: the folder.
        hook: is called with the number of each operation, from 0, and the operation; what it raises, the caller gets.
    """

    _PATCHED = ("fsync", "mkdir", "replace", "rename", "unlink", "remove", "rmdir")

    def __init__(self, root: Path, hook: Hook = let_pass) -> None:
        self.root, self.hook = os.path.realpath(root), hook
        self.done: list[Operation] = []
        self._plain: dict[str, Any] = {}

    def tell(self, operation: Operation) -> None:
        """Note an operation and call the hook; one that it refuses is counted too."""
        number = len(self.done)
        self.done.append(operation)
        self.hook(number, operation)

    def __enter__(self) -> Disk:
        self._plain = {name: getattr(os, name) for name in self._PATCHED} | {"open": io.open, "os.open": os.open}
        io.open = self._open
        os.open = self._os_open
        os.fsync = self._fsync
        os.mkdir = self._one_path("mkdir", "mkdir")
        os.rmdir = self._one_path("rmdir", "rmdir")
        os.unlink = self._one_path("unlink", "unlink")
        os.remove = self._one_path("unlink", "remove")
        os.replace = self._two_paths("replace")
        os.rename = self._two_paths("rename")
        return self

    def __exit__(self, *error: object) -> None:
        io.open, os.open = self._plain.pop("open"), self._plain.pop("os.open")
        for name, function in self._plain.items():
            setattr(os, name, function)

    def _inside(self, path: Any, dir_fd: int | None = None) -> str | None:
        """The path with its folder resolved, if it is under the root."""
        if isinstance(path, int):
            full = os.readlink(f"/proc/self/fd/{path}")
        else:
            base = os.getcwd() if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
            folder, name = os.path.split(os.path.join(base, os.fspath(path)))
            full = os.path.join(os.path.realpath(folder), name)
        return full if full == self.root or full.startswith(self.root + os.sep) else None

    def _one_path(self, kind: str, name: str) -> Callable[..., None]:
        def call(path: Any, *arguments: Any, dir_fd: int | None = None, **options: Any) -> None:
            if (full := self._inside(path, dir_fd)) is not None:
                self.tell(Operation(kind, full))
            self._plain[name](path, *arguments, dir_fd=dir_fd, **options)

        return call

    def _two_paths(self, name: str) -> Callable[..., None]:
        def call(path: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
            full, full_target = self._inside(path, src_dir_fd), self._inside(target, dst_dir_fd)
            if full is not None and full_target is not None:
                self.tell(Operation("replace", full, target=full_target))
            self._plain[name](path, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

        return call

    def _fsync(self, descriptor: Any) -> None:
        if (full := self._inside(descriptor)) is not None:
            self.tell(Operation("fsync", full))
        self._plain["fsync"](descriptor)

    def _os_open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & (os.O_CREAT | os.O_TRUNC) and (full := self._inside(path, dir_fd)) is not None:
            self.tell(Operation("open", full, new=bool(flags & os.O_TRUNC) or not os.path.lexists(full)))
        return self._plain["os.open"](path, flags, mode, dir_fd=dir_fd)

    def _open(self, file: Any, mode: str = "r", buffering: int = -1, *text: Any, **options: Any) -> Any:
        full = self._inside(file) if set(mode) & set("wax+") else None
        if full is None or options.get("opener"):
            return self._plain["open"](file, mode, buffering, *text, **options)
        if not isinstance(file, int):
            self.tell(Operation("open", full, new="w" in mode or not os.path.exists(full)))
        raw = _Raw(full, mode.replace("b", "").replace("t", ""), self, file if isinstance(file, int) else None)
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        options.pop("closefd", None)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *text, **options)


class _Raw(io.FileIO):
    """An unbuffered file whose writes are passed to a hook."""

    def __init__(self, path: str, mode: str, disk: Disk, descriptor: int | None = None) -> None:
        super().__init__(path if descriptor is None else descriptor, mode)
        self._path, self._disk = path, disk

    def write(self, data: Any) -> int:
        content = bytes(data)
        offset = os.fstat(self.fileno()).st_size if "a" in self.mode else self.tell()
        tear = lambda: super(_Raw, self).write(content[: len(content) // 2])  # noqa: E731
        self._disk.tell(Operation("write", self._path, content, offset, tear=tear))
        return super().write(content)

    def truncate(self, size: int | None = None) -> int:
        self._disk.tell(Operation("truncate", self._path, offset=self.tell() if size is None else size))
        return super().truncate(size)
