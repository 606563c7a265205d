"""Temporary names beside a target, locked by the process that writes there and removed once that is dead."""

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
_NAME_BEFORE = re.compile(r"\.tmp-.+-\d+")  # until 0.1; only folders of seqgen's own are searched for them
_OLD_S = 86_400.0  # where the system cannot lock, what is older is taken for abandoned
_ANY = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)


def new_name() -> str:
    """Return a temporary name that no other process uses: process numbers are the same in every container."""
    return f"{_PREFIX}{secrets.token_hex(16)}"


@contextlib.contextmanager
def temporary_file(directory: Directory) -> Iterator[tuple[str, BinaryIO]]:
    """Make a new file; yields its name and the file, open for writing. What is not renamed meanwhile is removed.

    Raises:
        OSError: it cannot be made.
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
    """Make a new folder; yields its name. If it is not renamed meanwhile, it is removed.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        name = new_name()
        os.mkdir(directory.at(name), dir_fd=directory.descriptor)
        if directory.descriptor is None:
            descriptor = None
            break
        try:
            descriptor = directory.open(name, _ANY)
        except FileNotFoundError:  # taken for abandoned before it was locked
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
    """Remove what has still a temporary name at the end."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            directory.remove(name)


def _own(directory: Directory, name: str, descriptor: int) -> bool:
    """Lock what was just made; False if another process took it for abandoned before that."""
    if directory.descriptor is None:  # Windows locks bytes, not files: others go by its age
        return True
    with contextlib.suppress(OSError):  # no locks on this disk
        try_lock(descriptor, wait=True)
    return directory.is_same_file(name, descriptor)


def remove_atomically(directory: Directory, names: list[str]) -> None:
    """Remove files and folders of a folder, each first renamed, so that nobody finds a half of one.

    Args:
        directory: the folder.
        names: of those that are to go.

    Raises:
        LinkRefused: one is a link.
        OSError: one cannot be renamed.
    """
    aside: list[str] = []
    with contextlib.ExitStack() as stack:
        try:
            for name in names:
                directory.refuse_link(name)
                if directory.status(name) is None:
                    continue
                if directory.descriptor is not None:
                    with contextlib.suppress(OSError):
                        descriptor = directory.open(name, _ANY)
                        stack.callback(os.close, descriptor)
                        try_lock(descriptor)
                hidden = new_name()
                directory.replace(name, hidden)
                aside.append(hidden)
        finally:
            if aside:
                with contextlib.suppress(OSError):
                    directory.sync()  # so that after a power loss, too, there is the whole or nothing
            for hidden in aside:
                with contextlib.suppress(OSError):
                    directory.remove(hidden)


def remove_abandoned(directory: Directory, *, own: bool = False) -> None:
    """Remove the temporary files and folders of processes that are dead; what cannot be removed stays.

    Args:
        directory: the folder that is searched, without those in it.
        own: whether only seqgen writes into it; then names as they were until 0.1 are removed too.
    """
    with contextlib.suppress(OSError):
        for name in directory.names():
            if _NAME.fullmatch(name) or (own and _NAME_BEFORE.fullmatch(name)):
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
        if abandoned and directory.is_same_file(name, descriptor):  # its owner may have renamed it
            directory.remove(name)
    finally:
        os.close(descriptor)
