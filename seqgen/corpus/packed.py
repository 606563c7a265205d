"""Packed files: zip archives that stay open, and Zstandard unpacked while it is read."""

from __future__ import annotations

import functools
import importlib
import io
import sys
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from seqgen.errors import MissingExtra, one_line

_AT_ONCE = 1 << 10  # packed bytes: a kilobyte of Zstandard unpacks to at most about 32 MB


def open_archive(path: Path) -> zipfile.ZipFile:
    """Return a zip file, opened anew when it has changed; do not close it: its index is read once for all members.

    Raises:
        OSError: it cannot be read.
        BadZipFile: it is no zip file.
    """
    stat = path.stat()
    return _opened(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _opened(path: Path, stamp: tuple[int, ...]) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


class Damaged(Exception):
    """Bytes that cannot be unpacked."""


def open_zstandard(packed: BinaryIO, shown: str) -> BinaryIO:
    """Return a file of what frames of Zstandard unpack to; it can be rewound, and closes the packed one.

    Args:
        packed: the packed file.
        shown: its name in messages.

    Raises:
        MissingExtra: no package unpacks it.
        Damaged, EOFError (while reading): it is damaged, or cut short.
    """
    return cast("BinaryIO", io.BufferedReader(_Zstandard(packed, shown), 1 << 17))


class _Decompressor(Protocol):
    """A decompressor of one frame of Zstandard."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes) -> bytes:
        """Return the bytes that more packed ones unpack to."""
        ...


class _Zstandard(io.RawIOBase):
    """Frames of Zstandard, unpacked while they are read; seeking back starts anew."""

    def __init__(self, packed: BinaryIO, shown: str) -> None:
        self._packed = packed  # first, since also an object that could not be made is closed
        self._make, self._error = _zstandard(shown)
        self._frame: _Decompressor | None = None
        self._ready, self._position = b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._packed.close()
        super().close()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            while self.read(1 << 16):
                pass
            offset += self._position
        elif whence == io.SEEK_CUR:
            offset += self._position
        if offset < self._position:
            self._packed.seek(0)
            self._frame, self._ready, self._position = None, b"", 0
        while self._position < offset and self.read(min(offset - self._position, 1 << 16)):
            pass
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            given = self._frame.unused_data if self._frame is not None and self._frame.eof else b""
            given = given or self._packed.read(_AT_ONCE)
            if not given:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError("it ends within a frame")
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = self._make()
            try:
                self._ready = self._frame.decompress(given)
            except self._error as error:
                raise Damaged(one_line(error)) from None
        n = min(len(self._ready), len(buffer))
        buffer[:n], self._ready = self._ready[:n], self._ready[n:]
        self._position += n
        return n


def _zstandard(shown: str) -> tuple[Any, type[Exception]]:
    """Return a maker of decompressors of one frame each, and the error that these raise."""
    if sys.version_info >= (3, 14):
        own = importlib.import_module("compression.zstd")
        return own.ZstdDecompressor, own.ZstdError
    try:
        package = importlib.import_module("zstandard")
    except ImportError:
        raise MissingExtra("zstd", f"cannot read {shown!r}: a Zstandard file") from None
    return lambda: package.ZstdDecompressor().decompressobj(), package.ZstdError
