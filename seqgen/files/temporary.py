"""Temporary names beside a target, locked by the process that writes them and removed once it has ended."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from typing import BinaryIO

from seqgen.files.advisory import try_lock
from seqgen.files.safe_path import Directory

_PREFIX = ".tmp-seqgen-"
_NAME = re.compile(re.escape(_PREFIX) + "[0-9a-f]{32}")
_OLD_S = 86_400.0  # without locks, anything older counts as abandoned
_ANY = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)


def new_name() -> str:
    """Return a random temporary name; process ids would collide between containers."""
    return f"{_PREFIX}{secrets.token_hex(16)}"


@contextlib.contextmanager
def temporary_file(directory: Directory) -> Iterator[tuple[str, BinaryIO]]:
    """Create a temporary file; yield its name and the open file, and remove it unless it is renamed.

    Raises:
        OSError: it cannot be created.
    """
    while True:
        name = new_name()
        descriptor = directory.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        if _own(directory, name, descriptor):
            break
        os.close(descriptor)
    with _removed(directory, name), os.fdopen(descriptor, "wb") as file:
        yield name, file


@contextlib.contextmanager
def temporary_folder(directory: Directory) -> Iterator[str]:
    """Create a temporary folder; yield its name, and remove it unless it is renamed.

    Raises:
        OSError: it cannot be created.
    """
    while True:
        name = new_name()
        os.mkdir(directory.at(name), dir_fd=directory.descriptor)
        if directory.descriptor is None:
            descriptor = None
            break
        try:
            descriptor = directory.open(name, _ANY)
        except FileNotFoundError:  # removed as abandoned before it was locked
            continue
        if _own(directory, name, descriptor):
            break
        os.close(descriptor)
    try:
        with _removed(directory, name):
            yield name
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextlib.contextmanager
def _removed(directory: Directory, name: str) -> Iterator[None]:
    """Remove at the end what still has the temporary name."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            directory.remove(name)


def _own(directory: Directory, name: str, descriptor: int) -> bool:
    """Lock a new file or folder; return False if another process removed it as abandoned before that."""
    if directory.descriptor is None:  # Windows locks bytes, not files: other processes go by its age
        return True
    with contextlib.suppress(OSError):  # the file system has no locks
        try_lock(descriptor, wait=True)
    return directory.is_same_file(name, descriptor)


def remove_atomically(directory: Directory, names: list[str]) -> None:
    """Remove files and folders, each renamed first, so that no process sees one partly removed.

    Args:
        directory: the parent folder.
        names: the names to remove; missing ones are ignored, as are those that another process removes meanwhile.

    Raises:
        LinkRefused: one of them is a link.
        OSError: one of them cannot be renamed.
    """
    renamed: list[str] = []
    with contextlib.ExitStack() as stack:
        try:
            for name in names:
                renamed += _hidden(directory, name, stack)
        finally:
            if renamed:
                with contextlib.suppress(OSError):
                    directory.sync()  # so that a power loss leaves all of it or nothing
            for hidden in renamed:
                with contextlib.suppress(OSError):
                    directory.remove(hidden)


@contextlib.contextmanager
def making_way(directory: Directory, name: str) -> Iterator[None]:
    """Rename what has a name within the context, and remove it at the end; put it back if the context raises.

    Raises:
        LinkRefused: it is a link.
        OSError: it cannot be renamed.
    """
    with contextlib.ExitStack() as stack:
        renamed = _hidden(directory, name, stack)
        try:
            yield
        except BaseException:
            for hidden in renamed:
                with contextlib.suppress(OSError):
                    directory.replace(hidden, name)
            raise
        for hidden in renamed:
            with contextlib.suppress(OSError):
                directory.sync()  # first, so that a power loss leaves the old or the new
            with contextlib.suppress(OSError):
                directory.remove(hidden)


def _hidden(directory: Directory, name: str, stack: contextlib.ExitStack) -> list[str]:
    """Rename a file or folder, locked until the stack is closed; return its temporary name, if it is there."""
    directory.refuse_link(name)
    if directory.status(name) is None:
        return []
    if directory.descriptor is not None:
        with contextlib.suppress(OSError):
            descriptor = directory.open(name, _ANY)
            stack.callback(os.close, descriptor)
            try_lock(descriptor)
    hidden = new_name()
    try:
        directory.replace(name, hidden)
    except FileNotFoundError:  # another process has removed it meanwhile
        return []
    return [hidden]


def remove_abandoned(directory: Directory) -> None:
    """Remove the temporary files and folders of dead processes from a folder; failures are ignored."""
    with contextlib.suppress(OSError):
        for name in directory.names():
            if _NAME.fullmatch(name):
                with contextlib.suppress(OSError):
                    _remove_if_abandoned(directory, name)


def _remove_if_abandoned(directory: Directory, name: str) -> None:
    found = directory.status(name)
    if found is None or not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return
    old = time.time() - found.st_mtime > _OLD_S
    if directory.descriptor is None:
        if old:
            directory.remove(name)
        return
    descriptor = directory.open(name, _ANY)
    try:
        try:
            abandoned = try_lock(descriptor)
        except OSError:
            abandoned = old
        if abandoned and directory.is_same_file(name, descriptor):  # unless its owner has renamed it meanwhile
            directory.remove(name)
    finally:
        os.close(descriptor)
