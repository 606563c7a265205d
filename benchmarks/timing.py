"""Side-by-side timing in one process, in interleaved rounds of shuffled order.

A machine's speed changes by the minute, so variants are timed in the same round: ratios are taken per round, and tables
show their median with the smallest and the largest. Absolute rates only hold for the time of measurement.
"""

from __future__ import annotations

import contextlib
import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from seqgen.compute import keeping_memory

Done = Mapping[str, float]
"""Amount of work of one call, by unit: {"tokens": 480, "gflop": 0.03}."""
Work = Callable[[], Done]
"""A function that does a fixed amount of work."""
T = TypeVar("T")


@dataclass(frozen=True)
class WithRunMemory:
    """Work of seqgen with the allocator settings of a run, which keep freed memory in the process.

    Attributes:
        work: the timed work.
        first: untimed work before each measurement, which allocates the memory, as a run does once.
    """

    work: Work
    first: Callable[[], object]

    def __call__(self) -> Done:
        """Do the work."""
        return self.work()


@dataclass(frozen=True)
class Setting:
    """Rounds and sizes of a measurement.

    Attributes:
        rounds: number of rounds.
        quick: use tiny sizes as a smoke test; the results are then meaningless.
    """

    rounds: int
    quick: bool = False

    def pick(self, full: T, quick: T) -> T:
        """Return ``quick`` in a quick run, else ``full``."""
        return quick if self.quick else full

    @contextlib.contextmanager
    def threads(self, n: int) -> Iterator[None]:
        """Let torch use n CPU threads within the context; one in a quick run."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.pick(n, 1))
        try:
            yield
        finally:
            torch.set_num_threads(before)


@dataclass(frozen=True)
class Size:
    """Sizes of a training step and threads."""

    hidden: int
    batch: int
    n_steps: int
    embedding: int
    threads: int

    def __str__(self) -> str:
        """Return the sizes as a heading."""
        sizes = f"H = {self.hidden}, B = {self.batch}, T = {self.n_steps}, embedding {self.embedding}"
        return f"{sizes}, {self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass
class Rounds:
    """Seconds and amount of work of every round, by variant."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    done: dict[str, list[Done]] = field(default_factory=dict)

    def rates(self, what: str, unit: str) -> list[float]:
        """Return the rate in units per second of each round."""
        return [done[unit] / s for done, s in zip(self.done[what], self.seconds[what], strict=True)]

    def ratios(self, what: str, against: str, unit: str) -> list[float]:
        """Return the ratio of the rates of two variants in each round."""
        return [a / b for a, b in zip(self.rates(what, unit), self.rates(against, unit), strict=True)]

    def time_ratios(self, what: str, against: str) -> list[float]:
        """Return the ratio of the seconds of two variants in each round."""
        return [a / b for a, b in zip(self.seconds[what], self.seconds[against], strict=True)]

    def median_s(self, what: str) -> float:
        """Return the median of the seconds."""
        return statistics.median(self.seconds[what])


def interleave(variants: Mapping[str, Work], rounds: int, *, warm_up: bool = True) -> Rounds:
    """Time every variant once per round, in an order that differs between rounds.

    Args:
        variants: the works by name.
        rounds: number of rounds.
        warm_up: run each variant once before, untimed.
    """
    measured, shuffled = Rounds({name: [] for name in variants}, {name: [] for name in variants}), random.Random(0)
    if warm_up:
        for work in variants.values():
            work()
    for _ in range(rounds):
        for name in shuffled.sample(list(variants), len(variants)):
            gc.collect()
            with _ready(variants[name]):
                started = time.perf_counter()
                done = variants[name]()
                measured.seconds[name].append(time.perf_counter() - started)
            measured.done[name].append(done)
    return measured


@contextlib.contextmanager
def _ready(work: Work) -> Iterator[None]:
    """Set up the allocator and run the untimed part of a work."""
    with keeping_memory() if isinstance(work, WithRunMemory) else contextlib.nullcontext():
        if isinstance(work, WithRunMemory):
            work.first()
        yield


def repeat(work: Callable[[], object], times: int, done: Done) -> Work:
    """Return work that repeats a call; ``done`` is the amount of work of all calls."""

    def repeated() -> Done:
        for _ in range(times):
            work()
        return done

    return repeated
