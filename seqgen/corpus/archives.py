"""Zip files that stay open, so that the index of one is read once and not for each of a thousand members."""

from __future__ import annotations

import functools
import zipfile
from pathlib import Path


def open_archive(path: Path) -> zipfile.ZipFile:
    """Return a zip file, opened anew when it has changed; do not close it.

    Raises:
        OSError: it cannot be read.
        BadZipFile: it is no zip file.
    """
    stat = path.stat()
    return _opened(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _opened(path: Path, stamp: tuple[int, ...]) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
