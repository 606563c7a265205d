"""Records that are no files here, stored in the cache: those at an address, and those of standard input.

fsspec fetches addresses such as https://host/names.csv or s3://bucket/a.csv.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from seqgen.errors import CorpusError, MissingExtra, NoSuchFile, SeqgenError, UsageError, one_line
from seqgen.files import SafePath, cache_folder, dump_json, load_json, spool, write_atomic

_BLOCK_BYTES = 1 << 20


def fetch(address: str, warn: Callable[[str], None] = lambda line: None) -> Path:
    """Return the file in the cache that an address was fetched to; it is fetched if it is not there.

    Args:
        address: of one file.
        warn: called with one line that says whether it is fetched, or was before.

    Raises:
        UsageError: the address holds a password, is a pattern, or nothing reads its protocol.
        MissingExtra: fsspec, or the package that it needs for the protocol, is not installed.
        NoSuchFile: there is no such file.
        CorpusError: it cannot be fetched.
        DiskError: it cannot be written.
    """
    try:
        parts = urlsplit(address)
        if parts.scheme.lower() in ("http", "https"):
            _ = parts.port
    except ValueError as error:  # of a host in brackets, or a port out of range
        way = "write it like https://example.org/names.csv"
        raise UsageError(f"cannot fetch {address!r}: it is no address, {one_line(error)}; {way}") from None
    if urlsplit(address).password:
        host = urlsplit(address).hostname
        raise UsageError(
            f"cannot use the address of {host!r} with a password in it, since the run would record it; put it into "
            "the configuration of fsspec"
        )
    if address.lower().startswith(("http://", "https://")) and not urlsplit(address).hostname:
        raise UsageError(f"cannot fetch {address!r}: it names no host; write it like https://example.org/names.csv")
    home = cache_folder("addresses")
    index = SafePath(home) / "index" / f"{hashlib.sha256(address.encode()).hexdigest()[:32]}.json"
    if (known := _known(index, home)) is not None:
        file, day = known
        warn(f"corpus {address!r}: read from the copy of {day}; to fetch it again, remove {str(file)!r}")
        return file
    warn(f"corpus {address!r}: fetching it into {str(home)!r}")
    name = PurePosixPath(urlsplit(address).path or address.partition("://")[2]).name or "file"
    file = spool(home, name, _blocks(address))
    today = datetime.datetime.now(datetime.UTC).date()
    found = {"address": address, "file": f"{file.parent.name}/{file.name}", "fetched": str(today)}
    write_atomic(index, dump_json(found), make_parents=True)
    return file


def _known(index: SafePath, home: Path) -> tuple[Path, str] | None:
    """Return the file that an address was fetched to and the day, or None."""
    try:
        found = load_json(index.read())
        file = home / str(found["file"])
        return (file, str(found["fetched"])) if file.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _blocks(address: str) -> Iterator[bytes]:
    try:
        with _opened(address) as file:
            while block := file.read(_BLOCK_BYTES):
                yield block
    except (SeqgenError, GeneratorExit):
        raise
    except Exception as error:  # of any protocol's library
        cause = error.__cause__ or error  # for a host that is not reached, fsspec has no such file either
        if isinstance(error, FileNotFoundError) and getattr(cause, "status", 404 if cause is error else 0) == 404:
            raise NoSuchFile(f"no such file: {address!r}") from None
        raise CorpusError(f"cannot fetch {address!r}: {_reason(cause)}") from None


def _reason(error: BaseException) -> str:
    """Return the reason for which an address cannot be fetched, in words where the system has some."""
    of_system = getattr(error, "os_error", None)  # of aiohttp, for a host that is unknown or not reached
    if isinstance(of_system, OSError) and of_system.errno is not None:
        is_number = not isinstance(of_system, socket.gaierror)  # whose numbers are none of the system's
        words = os.strerror(of_system.errno) if is_number else of_system.strerror
        return f"the host {getattr(error, 'host', '')!r} is not reached: {words}"
    return f"{type(error).__name__}: {one_line(error)}"


def _opened(address: str) -> Any:
    try:
        import fsspec
    except ImportError:
        raise MissingExtra("fsspec", f"the address {address!r}") from None
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise MissingExtra("", f"the address {address!r}", one_line(error)) from None
    except ValueError as error:
        raise UsageError(f"cannot fetch {address!r}: {one_line(error)}") from None
    web = address.lower().startswith(("http://", "https://"))
    if not web and (set(path) & set("*?[") or system.isdir(path)):
        raise UsageError(f"cannot fetch {address!r}: an address names one file; pass --corpus for each, or a .zip")
    return system.open(path, "rb", **({"block_size": 0} if web else {}))  # servers need not support ranges


# -- standard input

_spooled: WeakKeyDictionary[BinaryIO, Path] = WeakKeyDictionary()  # standard input that this process has read


def spool_stdin() -> Path:
    """Return the file in the cache to which standard input is written, once, so that it can be read again.

    Raises:
        UsageError: there is no standard input, or it is a terminal.
        DiskError: it cannot be written.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "cannot read records from '-': standard input is a terminal; pipe records: cat names.txt | seqgen train "
            "--corpus -"
        )
    stdin = sys.stdin.buffer
    if stdin not in _spooled:
        _spooled[stdin] = spool(cache_folder("stdin"), "stdin", iter(lambda: stdin.read(_BLOCK_BYTES), b""))
    return _spooled[stdin]
