"""Throughput of training and sampling."""

from __future__ import annotations

import statistics
import time
from typing import Any

import seqgen

_N_WARMUP, _N_SAMPLED = 64, 1000  # rows
_LEAST_S = 0.2  # of sampling: 1,000 rows of a small model take 25 ms, in which a machine is not always as fast


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
    """Return the rows per second, decoded: 1,000 at a time, the median over 0.2 seconds or more."""
    run.sample(_N_WARMUP)
    speeds, left_s = list[float](), _LEAST_S
    while not speeds or left_s > 0:
        started = time.perf_counter()
        n = len(run.sample(_N_SAMPLED))
        elapsed_s = time.perf_counter() - started
        speeds.append(n / elapsed_s)
        left_s -= elapsed_s
    return statistics.median(speeds)
