"""What a run spends on its corpus and its batches, timed where a run does it."""

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

STRANGERS = Path(__file__).parent / "stranger_cells.py"
STRANGER = "stranger-ugrnn"
"""The cell of that file that is timed."""


@dataclass(frozen=True)
class Spent:
    """Seconds of a run.

    Attributes:
        reading_s: reading the corpus, counting it and learning its characters.
        encoding_s: splitting and encoding it.
        batches_s: making batches.
        training_s: training and evaluation, as the run counts them for ``--time``.
    """

    reading_s: float
    encoding_s: float
    batches_s: float
    training_s: float

    @property
    def all_s(self) -> float:
        """All of it."""
        return self.reading_s + self.encoding_s + self.training_s

    @property
    def share(self) -> float:
        """Of encoding and batches in all of it."""
        return (self.encoding_s + self.batches_s) / self.all_s

    @property
    def share_with_reading(self) -> float:
        """Of reading, encoding and batches in all of it."""
        return (self.reading_s + self.encoding_s + self.batches_s) / self.all_s


def spend(n_steps: int, **asked: Any) -> Spent:
    """Train so many steps in a folder that goes away, by ``seqgen.train``, and say what it spent."""
    plugins = Plugins(print)
    plugins.load([*entry_point_candidates(), file_candidate(STRANGERS)])
    gc.collect()
    with tempfile.TemporaryDirectory() as folder, _timed() as seconds:
        run = seqgen.train(steps=n_steps, out=Path(folder) / "run", plugins=plugins, **asked)
        reading_s = seconds["learn"] - seconds["encode"]
        return Spent(reading_s, seconds["encode"], seconds["batch"], float(run.state["elapsed_s"]))


@contextlib.contextmanager
def _timed() -> Iterator[Counter[str]]:
    """Within it ``learn``, ``encode`` and ``batch`` are timed wherever they are called."""
    seconds: Counter[str] = Counter()

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*given, **named)
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
