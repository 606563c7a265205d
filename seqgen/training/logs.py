"""The logs of a training run: metrics and samples by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqgen.checkpoint import RunFolder
from seqgen.sampling import Sample


class RunLogs:
    """metrics.jsonl and samples.jsonl, written together.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._metrics, self._samples = folder.metrics, folder.samples
        self._all = {log.path.name: log for log in (self._metrics, self._samples)}

    def restore(self, sizes: Mapping[str, int], checksums: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Forget what was written behind a checkpoint; returns a line for each log that is damaged.

        Args:
            sizes: bytes of each log at the checkpoint, by file name.
            checksums: what ``checksums`` gave then.
        """
        found = (log.truncate(sizes.get(name, 0), checksums.get(name)) for name, log in self._all.items())
        return [line for line in found if line]

    def append(self, metrics: Mapping[str, Any], samples: Sequence[Sample]) -> None:
        """Add the results of an evaluation; ``metrics`` has the step."""
        self._metrics.append(metrics)
        self._samples.append(*({"step": metrics["step"], "text": row.text, "cut": row.cut} for row in samples))

    def sync(self) -> dict[str, int]:
        """Make the logs durable; returns their sizes in bytes, by file name."""
        return {name: log.sync() for name, log in self._all.items()}

    def checksums(self) -> dict[str, dict[str, Any]]:
        """Return the length and checksum of each log, by file name."""
        return {name: log.checksum() for name, log in self._all.items()}
