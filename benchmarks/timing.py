"""Measuring what stands in one table: side by side in one process, in interleaved rounds of shuffled order.

A machine's speed moves by the minute, so what is compared is timed in the same round: a ratio is taken round by round,
and a table shows the median of these ratios with the smallest and the largest. Absolute rates are only of that hour.
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
"""How much was done in one call, by unit: {"tokens": 480, "gflop": 0.03}."""
Work = Callable[[], Done]
"""Does a fixed amount of work."""
T = TypeVar("T")


@dataclass(frozen=True)
class OfARun:
    """Work of ours, done as in a run, within which memory that is freed stays with the process.

    Attributes:
        work: is timed.
        first: is done before the time begins, each time: what takes the memory from the system, as a run does once.
    """

    work: Work
    first: Callable[[], object]

    def __call__(self) -> Done:
        """Do the work."""
        return self.work()


@dataclass(frozen=True)
class Setting:
    """How thoroughly to measure.

    Attributes:
        rounds: how often everything is timed.
        quick: whether everything is tiny, to see that it runs; the figures then mean nothing.
    """

    rounds: int
    quick: bool = False

    def pick(self, full: T, quick: T) -> T:
        """The first, or the second when quick."""
        return quick if self.quick else full

    @contextlib.contextmanager
    def threads(self, n: int) -> Iterator[None]:
        """Within it torch computes with so many CPU threads; with one when quick."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.pick(n, 1))
        try:
            yield
        finally:
            torch.set_num_threads(before)


@dataclass(frozen=True)
class Size:
    """Sizes of what a table measures."""

    hidden: int
    batch: int
    n_steps: int
    embedding: int
    threads: int

    def __str__(self) -> str:
        """As a heading."""
        sizes = f"H = {self.hidden}, B = {self.batch}, T = {self.n_steps}, embedding {self.embedding}"
        return f"{sizes}, {self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass
class Rounds:
    """Seconds and work of every round, by what was measured."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    done: dict[str, list[Done]] = field(default_factory=dict)

    def rates(self, what: str, unit: str) -> list[float]:
        """Units a second, round by round."""
        return [done[unit] / s for done, s in zip(self.done[what], self.seconds[what], strict=True)]

    def ratios(self, what: str, against: str, unit: str) -> list[float]:
        """How many times the rate of another, round by round."""
        return [a / b for a, b in zip(self.rates(what, unit), self.rates(against, unit), strict=True)]

    def time_ratios(self, what: str, against: str) -> list[float]:
        """How many times the seconds of another, round by round."""
        return [a / b for a, b in zip(self.seconds[what], self.seconds[against], strict=True)]

    def median_s(self, what: str) -> float:
        """Seconds of the middle round."""
        return statistics.median(self.seconds[what])


def interleave(variants: Mapping[str, Work], rounds: int, *, warm_up: bool = True) -> Rounds:
    """Time everything in every round, in an order that differs from round to round.

    Args:
        variants: what to measure, by name.
        rounds: how often.
        warm_up: whether each is done once before, untimed.
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
    """Within it some work is done where it belongs."""
    with keeping_memory() if isinstance(work, OfARun) else contextlib.nullcontext():
        if isinstance(work, OfARun):
            work.first()
        yield


def repeat(work: Callable[[], object], times: int, done: Done) -> Work:
    """Work that is a call repeated; ``done`` is what all the calls come to."""

    def repeated() -> Done:
        for _ in range(times):
            work()
        return done

    return repeated
