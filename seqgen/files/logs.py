"""Logs that survive a crash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqgen.errors import CheckpointError
from seqgen.files.atomic_write import disk_errors
from seqgen.files.safe_path import SafePath

_MAX_BYTES = 64 << 20  # that are read: the rows of some 300,000 evaluations

_AT_ONCE = 1 << 20  # bytes


class JsonLines:
    """A log: a JSON object a line, appended.

    Its length and checksum are kept while it is written, from the first ``truncate`` on, so that saving them does not
    read it again.

    Args:
        path: the file; it need not exist. It must not be a link.
    """

    def __init__(self, path: Path | SafePath) -> None:
        self._file = SafePath.of(path)
        self.path = self._file.path
        self._hash, self._n_bytes, self._n_damaged = hashlib.sha256(), -1, 0  # -1: not known yet

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Add lines.

        Raises:
            LinkRefused: the log is a link.
            DiskError: the disk refused.
        """
        self._write(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "surrogatepass")
        )

    def _write(self, data: bytes) -> None:
        with disk_errors(self.path), self._file.open("ab") as file:
            file.write(data)
        if self._n_bytes >= 0:
            self._hash.update(data)
            self._n_bytes += len(data)

    def sync(self) -> int:
        """Make the log durable; returns its size in bytes. Its name is durable once a new name beside it is."""
        with disk_errors(self.path), self._file.open("ab") as file:
            if 0 <= self._n_bytes < file.tell():  # a line that a full disk has cut short
                file.truncate(self._n_bytes)
            os.fsync(file.fileno())
            return file.tell() if self._n_bytes < 0 else self._n_bytes

    def checksum(self) -> dict[str, Any]:
        """Return "bytes" and "sha256" of the log; where its beginning was damaged, "damaged_bytes" says how long."""
        if self._n_bytes < 0:
            with disk_errors(self.path):
                self._hash, self._n_bytes = self._read_hash(None)
        found = {"sha256": self._hash.hexdigest(), "bytes": self._n_bytes}
        return found | ({"damaged_bytes": self._n_damaged} if self._n_damaged else {})

    def truncate(self, size: int, expected: Mapping[str, Any] | None = None) -> str:
        """Forget what was written after the log had ``size`` bytes.

        A log that is damaged is written on as it is, and its checksums say from then on what was damaged.

        Args:
            size: bytes.
            expected: what ``checksum`` gave at that size; None where it is not known.

        Returns:
            What is wrong with the log, in one line; "" if nothing is.

        Raises:
            CheckpointError: the log is a link.
            DiskError: the disk refused.
        """
        with disk_errors(self.path), self._file.open("ab") as file:
            found = file.tell()
            file.truncate(min(size, found))
            problem = self._problem(found, size, expected)
        self._n_damaged = 0 if expected is None else expected.get("damaged_bytes", 0)
        if problem:
            self._write(b"\n")  # what follows stands in lines of its own
            self._n_damaged = self._n_bytes
        return problem

    def check(self, expected: Mapping[str, Any]) -> str:
        """Compare the beginning of the log with what ``checksum`` gave when it was that long.

        Returns:
            What is wrong, in one line; "" if nothing is.
        """
        try:
            status = self._file.status()
            if status is None:
                return f"log {str(self.path)!r} is damaged: it is not there" if expected["bytes"] else ""
            problem = self._problem(status.st_size, expected["bytes"], expected)
        except OSError as error:
            return f"log {str(self.path)!r} cannot be read: {error.strerror}"
        if not problem and expected.get("damaged_bytes"):
            problem = (
                f"log {str(self.path)!r} is damaged: its first {expected['damaged_bytes']:,} bytes were when the run "
                "was resumed"
            )
        return problem

    def _problem(self, found: int, size: int, expected: Mapping[str, Any] | None) -> str:
        """What is wrong with the first ``size`` bytes, which are hashed; ``found``: how many there are."""
        self._hash, self._n_bytes = self._read_hash(size)
        if found < size:
            return f"log {str(self.path)!r} is damaged: it has {found:,} bytes, the checkpoint says {size:,}"
        if expected is not None and self._hash.hexdigest() != expected["sha256"]:
            return f"log {str(self.path)!r} is damaged: its content is not what the checkpoint says"
        return ""

    def _read_hash(self, size: int | None) -> tuple[Any, int]:
        """The SHA-256 of the first bytes, None: of all, and how many they are."""
        digest, n_bytes = hashlib.sha256(), 0
        with self._file.open("rb") as file:
            while data := file.read(_AT_ONCE if size is None else min(_AT_ONCE, size - n_bytes)):
                digest.update(data)
                n_bytes += len(data)
        return digest, n_bytes

    def rows(self) -> list[dict[str, Any]]:
        """The lines; a last line that a crash cut short is left out.

        Raises:
            CheckpointError: the log is a link, no regular file, or too large to be read.
        """
        try:
            with self._file.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"cannot read {str(self.path)!r}: {error.strerror or error}") from None
        if len(data) > _MAX_BYTES:
            raise CheckpointError(
                f"cannot read {str(self.path)!r}: it has more than {_MAX_BYTES:,} bytes; restore it or shorten it"
            )
        rows = []
        for line in data.split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                rows.append(json.loads(line.decode("utf-8", "surrogatepass")))
        return [row for row in rows if isinstance(row, dict)]
