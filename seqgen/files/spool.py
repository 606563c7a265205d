"""Input that can be read only once, stored by its content so that it can be read again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from seqgen.files.atomic_write import disk_errors
from seqgen.files.safe_path import SafePath
from seqgen.files.temporary import remove_abandoned, temporary_folder


def spool(home: Path, name: str, blocks: Iterable[bytes]) -> Path:
    """Store bytes as ``home/DIGEST/name`` and return that file; equal bytes of the same name are stored once.

    Args:
        home: the folder, which only seqgen writes to.
        name: the file name; it goes into the digest, SHA-256, as well.
        blocks: the bytes in pieces; an OSError that it raises would be taken for one of writing.

    Raises:
        LinkRefused: a part of the path below ``home`` is a link.
        DiskError: writing failed; nothing is left behind.
    """
    digest, safe = hashlib.sha256(name.encode("utf-8", "surrogateescape") + b"\0"), SafePath(home)
    with disk_errors(home), safe.opened(make=True) as directory:
        remove_abandoned(directory)
        with temporary_folder(directory) as temporary:
            new = safe / temporary
            with SafePath(new.root, (*new.names, name)).open("xb") as file:
                if hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), 0o600)  # it may be private
                for block in blocks:
                    digest.update(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            folder = digest.hexdigest()[:32]
            if directory.status(folder) is None:
                with new.opened() as filled:
                    filled.sync()
                try:
                    directory.replace(temporary, folder)
                except OSError:
                    if directory.status(folder) is None:  # else another process has just stored the same
                        raise
                directory.sync()
    return home / folder / name
