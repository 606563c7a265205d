"""The logs of a training run: metrics and samples by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqgen.checkpoint import RunFolder
from seqgen.sampling import Sample


class RunLogs:
    """The logs metrics.jsonl and samples.jsonl, which are written together.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._metrics, self._samples = folder.metrics, folder.samples
        self._all = {log.path.name: log for log in (self._metrics, self._samples)}

    def restore(self, sizes: Mapping[str, int], checksums: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Truncate the logs to their sizes at a checkpoint; return a line for each damaged log.

        Args:
            sizes: bytes of each log at the checkpoint, by file name.
            checksums: the result of ``checksums`` at the checkpoint.
        """
        found = (log.truncate(sizes.get(name, 0), checksums.get(name)) for name, log in self._all.items())
        return [line for line in found if line]

    def append(self, metrics: Mapping[str, Any], samples: Sequence[Sample]) -> None:
        """Append the results of an evaluation; ``metrics`` has the step."""
        self._metrics.append(metrics)
        self._samples.append(*({"step": metrics["step"], "text": row.text, "cut": row.cut} for row in samples))

    def sync(self) -> dict[str, int]:
        """Flush the logs to disk; return their sizes in bytes, by file name."""
        return {name: log.sync() for name, log in self._all.items()}

    def checksums(self) -> dict[str, dict[str, Any]]:
        """Return the length and checksum of each log, by file name."""
        return {name: log.checksum() for name, log in self._all.items()}
