"""Append-only JSON Lines logs with checksums."""

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
from seqgen.files.stored_json import json_text

_MAX_BYTES = 64 << 20  # of a log that is read: some 300,000 evaluations
_AT_ONCE = 1 << 20  # bytes read per call


class JsonLines:
    """A log file with one JSON object per line, to which lines are appended.

    From the first ``truncate`` on its length and checksum are updated as it grows, so that it need not be read again.

    Args:
        path: the file, which may not exist yet; not a link.
    """

    def __init__(self, path: Path | SafePath) -> None:
        self._file = SafePath.of(path)
        self.path = self._file.path
        self._hash, self._n_bytes, self._n_damaged = hashlib.sha256(), -1, 0  # -1: not known yet

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Append lines.

        Raises:
            LinkRefused: the log is a link.
            DiskError: writing failed.
        """
        self._write("".join(json_text(row) + "\n" for row in rows).encode())

    def _write(self, data: bytes) -> None:
        with disk_errors(self.path), self._file.open("ab") as file:
            file.write(data)
        if self._n_bytes >= 0:
            self._hash.update(data)
            self._n_bytes += len(data)

    def sync(self) -> int:
        """Make the log durable and return its size in bytes.

        The name of a new log becomes durable when the folder is synced.
        """
        with disk_errors(self.path), self._file.open("ab") as file:
            if 0 <= self._n_bytes < file.tell():  # a line cut short by a full disk
                file.truncate(self._n_bytes)
            os.fsync(file.fileno())
            return file.tell() if self._n_bytes < 0 else self._n_bytes

    def checksum(self) -> dict[str, Any]:
        """Return "bytes" and "sha256" of the log, and "damaged_bytes" if its first bytes are damaged."""
        if self._n_bytes < 0:
            with disk_errors(self.path):
                self._hash, self._n_bytes = self._read_hash(None)
        found = {"sha256": self._hash.hexdigest(), "bytes": self._n_bytes}
        return found | ({"damaged_bytes": self._n_damaged} if self._n_damaged else {})

    def truncate(self, size: int, expected: Mapping[str, Any] | None = None) -> str:
        """Truncate the log to ``size`` bytes.

        A damaged log is kept and appended to; its checksums then record how much of it is damaged.

        Args:
            size: the size in bytes.
            expected: the result of ``checksum`` at that size; None if unknown.

        Returns:
            The problem of the log in one line; "" if there is none.

        Raises:
            CheckpointError: the log is a link.
            DiskError: writing failed.
        """
        with disk_errors(self.path), self._file.open("ab") as file:
            found = file.tell()
            file.truncate(min(size, found))
            problem = self._problem(found, size, expected)
        self._n_damaged = 0 if expected is None else expected.get("damaged_bytes", 0)
        if problem:
            self._write(b"\n")  # start a new line after the damage
            self._n_damaged = self._n_bytes
        return problem

    def check(self, expected: Mapping[str, Any], *, whole: bool = False) -> str:
        """Compare the start of the log with what ``checksum`` returned when it was that long.

        Args:
            expected: what it returned.
            whole: whether nothing may follow.

        Returns:
            The problem of the log in one line; "" if there is none.
        """
        try:
            status = self._file.status()
            if status is None:
                return f"log {str(self.path)!r} is damaged: it is missing" if expected["bytes"] else ""
            problem = self._problem(status.st_size, expected["bytes"], expected)
            if whole and not problem and (more := status.st_size - expected["bytes"]) > 0:
                problem = f"log {str(self.path)!r} is damaged: {more:,} bytes follow the end of the run"
        except OSError as error:
            return f"cannot read log {str(self.path)!r}: {error.strerror}"
        if not problem and expected.get("damaged_bytes"):
            problem = (
                f"log {str(self.path)!r} is damaged: its first {expected['damaged_bytes']:,} bytes were damaged "
                "when the run was resumed"
            )
        return problem

    def _problem(self, found: int, size: int, expected: Mapping[str, Any] | None) -> str:
        """Hash the first ``size`` bytes and return their problem; ``found`` is the actual size."""
        self._hash, self._n_bytes = self._read_hash(size)
        if found < size:
            return f"log {str(self.path)!r} is damaged: it has {found:,} bytes, but the checkpoint says {size:,}"
        if expected is not None and self._hash.hexdigest() != expected["sha256"]:
            return f"log {str(self.path)!r} is damaged: its content does not match the checkpoint"
        return ""

    def _read_hash(self, size: int | None) -> tuple[Any, int]:
        """Return the SHA-256 of the first ``size`` bytes (None: all) and their number."""
        digest, n_bytes = hashlib.sha256(), 0
        with self._file.open("rb") as file:
            while data := file.read(_AT_ONCE if size is None else min(_AT_ONCE, size - n_bytes)):
                digest.update(data)
                n_bytes += len(data)
        return digest, n_bytes

    def rows(self) -> list[dict[str, Any]]:
        """Return the lines as dictionaries; lines that are not JSON, such as one cut short by a crash, are ignored.

        Raises:
            CheckpointError: the log is a link, not a regular file, or too large.
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
