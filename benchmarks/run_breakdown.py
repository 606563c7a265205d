"""Time a run spends on reading, encoding, batches and training, measured within the run."""

from __future__ import annotations

import contextlib
import gc
import importlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import seqgen
from seqgen import batches
from seqgen.batches.feed import RecordFeed
from seqgen.plugins import Plugins, entry_point_candidates, file_candidate

CUSTOM_CELLS = Path(__file__).parent / "custom_cells.py"
CUSTOM_CELL = "custom-ugrnn"
"""The cell of ``custom_cells.py`` that is timed."""


@dataclass(frozen=True)
class RunTimes:
    """Seconds of the phases of a run.

    Attributes:
        reading_s: reading the corpus, counting it and fitting the tokenizer.
        encoding_s: splitting and encoding it.
        batches_s: making batches.
        training_s: training and evaluation, as counted for ``--time``.
    """

    reading_s: float
    encoding_s: float
    batches_s: float
    training_s: float

    @property
    def total_s(self) -> float:
        """Return the total."""
        return self.reading_s + self.encoding_s + self.training_s

    @property
    def share(self) -> float:
        """Return the share of encoding and batches in the total."""
        return (self.encoding_s + self.batches_s) / self.total_s

    @property
    def share_with_reading(self) -> float:
        """Return the share of reading, encoding and batches in the total."""
        return (self.reading_s + self.encoding_s + self.batches_s) / self.total_s


def measure_run(n_steps: int, **options: Any) -> RunTimes:
    """Train with ``seqgen.train`` in a temporary folder and return the time of its phases."""
    plugins = Plugins(print)
    plugins.load([*entry_point_candidates(), file_candidate(CUSTOM_CELLS)])
    gc.collect()
    with tempfile.TemporaryDirectory() as folder, _timed() as seconds:
        run = seqgen.train(steps=n_steps, out=Path(folder) / "run", plugins=plugins, blend="none", **options)
        reading_s = seconds["learn"] - seconds["encode"]
        return RunTimes(reading_s, seconds["encode"], seconds["batch"], float(run.state["elapsed_s"]))


@contextlib.contextmanager
def _timed() -> Iterator[Counter[str]]:
    """Time ``learn``, ``encode`` and ``batch`` within the context, wherever they are called."""
    seconds: Counter[str] = Counter()

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds[function.__name__] += time.perf_counter() - started

        return call

    with contextlib.ExitStack() as patches:
        for place, name in (
            (importlib.import_module("seqgen.api.train"), "learn"),
            (batches, "encode"),
            (RecordFeed, "batch"),
        ):
            patches.enter_context(patch.object(place, name, timed(getattr(place, name))))
        yield seconds
