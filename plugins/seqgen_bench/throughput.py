"""Throughput of training and sampling."""

from __future__ import annotations

import time
from typing import Any

import seqgen

_N_WARMUP, _N_SAMPLED = 64, 1000  # rows


class TrainSpeed:
    """A listener that measures the targets learned from per second of training, evaluations left out.

    The first moments, which are slower, are left out too.
    """

    def __init__(self) -> None:
        self._n_targets, self._elapsed_s = 0, 0.0
        self._before: seqgen.Progress | None = None

    def __call__(self, folder: Any, event: Any) -> None:
        """Take an event; between two progress events in a row there is training only."""
        if not isinstance(event, seqgen.Progress):
            self._before = None
            return
        if self._before is not None:
            self._n_targets += event.n_targets - self._before.n_targets
            self._elapsed_s += event.elapsed_s - self._before.elapsed_s
        self._before = event

    def tokens_per_s(self) -> float | None:
        """Return the targets per second; None for a run that was too short to measure."""
        return self._n_targets / self._elapsed_s if self._elapsed_s else None


def samples_per_s(run: seqgen.Run) -> float:
    """Return the rows per second, decoded, over 1,000 rows after a warm-up."""
    run.sample(_N_WARMUP)
    started = time.perf_counter()
    n = len(run.sample(_N_SAMPLED))
    return n / (time.perf_counter() - started)
