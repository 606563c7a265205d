"""Interrupted and resumed runs: what they must reproduce, and how they are stopped at a step."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

from seqgen.training import Progress, Report, Saved

SMALL = {"hidden": 10, "embedding": 5, "batch_size": 8, "split": "80/10/10"}


def digests(path: Path) -> dict[str, str]:
    """Of what a run must reproduce: the logs and the tensors of its last checkpoint."""
    last = max((path / "checkpoints").iterdir())
    files = [path / "metrics.jsonl", path / "samples.jsonl", last / "model.safetensors", last / "train.safetensors"]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files} | {"last": last.name}


class Stopper:
    """A listener that sends this process a signal when a step is reached."""

    def __init__(self, at: int, number: signal.Signals = signal.SIGINT) -> None:
        self.at, self.number, self.sent = at, number, False

    def __call__(self, folder, event):
        step = getattr(event, "step", None) or (event.metrics["step"] if isinstance(event, Report) else 0)
        if not self.sent and isinstance(event, Progress | Report | Saved) and step >= self.at:
            self.sent = True
            os.kill(os.getpid(), self.number)
