"""Logs that survive a crash."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqgen.errors import CheckpointError
from seqgen.files.publish import disk_errors, refuse_link


class JsonLines:
    """A log: a JSON object a line, appended.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Add lines.

        Raises:
            DiskError: the disk refused.
        """
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        with disk_errors(self.path), self.path.open("ab") as file:
            file.write(lines.encode("utf-8", "surrogatepass"))

    def sync(self) -> int:
        """Make the log durable; returns its size in bytes. Its name is durable once a new name beside it is."""
        with disk_errors(self.path), self.path.open("ab") as file:
            os.fsync(file.fileno())
            return file.tell()

    def truncate(self, size: int) -> None:
        """Forget what was written after the log had ``size`` bytes.

        Raises:
            CheckpointError: the log has fewer, or is a link.
        """
        refuse_link(self.path)
        with disk_errors(self.path), self.path.open("ab") as file:
            if file.tell() < size:
                raise CheckpointError(
                    f"{str(self.path)!r} has {file.tell()} bytes, the checkpoint says {size}: it is damaged; restore it"
                )
            file.truncate(size)

    def rows(self) -> list[dict[str, Any]]:
        """The lines; a last line that a crash cut short is left out."""
        if not self.path.is_file():
            return []
        rows = []
        for line in self.path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                rows.append(json.loads(line.decode("utf-8", "surrogatepass")))
        return [row for row in rows if isinstance(row, dict)]
