"""Scaling of a training step's time and memory with length, width, batch size and vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle

from torch.profiler import ProfilerActivity, profile

from fixtures import make_id_learner, make_model, random_batches
from report import Section, number, table
from timing import Rounds, Setting, interleave, repeat

CAPTION = """Time and extra memory of a whole training step of a model with one GRU layer as one size doubles, the
others as in the first row; embedding as wide as the layer, random ids without padding, float32, 1 thread. Milliseconds
are the median over interleaved rounds. Megabytes are the peak of torch's allocations during one step above the level
before it (weights and optimizer state are allocated before, gradients count), from its profiler. "x" is the ratio to
the row above: doubling T, B or V should at most double time and memory, doubling H at most quadruple them."""
HEAD = ["length T", "width H", "batch B", "vocabulary V", "ms", "x", "MB", "x"]


@dataclass(frozen=True)
class Size:
    """Sizes of a training step."""

    n_steps: int = 16
    hidden: int = 64
    batch: int = 32
    n_symbols: int = 64


def measure(setting: Setting) -> Section:
    """Return the section, with a table for each size that doubles."""
    series = {name: list(doubling_sizes(name, setting.pick(4, 2))) for name in Size.__dataclass_fields__}
    sizes = list(dict.fromkeys(size for row in series.values() for size in row))
    with setting.threads(1):
        steps = {size: make_step(size) for size in sizes}
        memory = {size: peak_extra_bytes(step) for size, step in steps.items()}
        variants = {str(size): repeat(steps[size], setting.pick(10, 1), {}) for size in sizes}
        rounds = interleave(variants, setting.rounds)
    per_call = setting.pick(10, 1)
    blocks = [table(HEAD, rows(row, rounds, memory, per_call)) for row in series.values()]
    return Section("scaling", "scaling with length, width, batch size and vocabulary", CAPTION, blocks)


def doubling_sizes(name: str, n: int) -> Iterator[Size]:
    """Yield sizes of which one doubles."""
    for power in range(n):
        yield replace(Size(), **{name: getattr(Size(), name) * 2**power})


def make_step(size: Size) -> Callable[[], None]:
    """Return a training step."""
    model = make_model(size.n_symbols, "gru", size.hidden, size.hidden)
    learner = make_id_learner(model, size.n_symbols)
    over = cycle(random_batches(size.n_symbols, size.batch, size.n_steps, 2))
    return lambda: learner.take(next(over))


def peak_extra_bytes(step: Callable[[], None]) -> int:
    """Return the peak of allocated bytes during a step above the level before it."""
    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    assert profiled.profiler is not None
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    held, most = 0, 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def rows(sizes: list[Size], rounds: Rounds, memory: dict[Size, int], per_call: int) -> Iterator[list[str]]:
    """Yield one row per size."""
    before: tuple[float, float] | None = None
    for size in sizes:
        step_ms, extra_mb = rounds.median_s(str(size)) / per_call * 1000, memory[size] / 1e6
        ratios = [number(step_ms / before[0]), number(extra_mb / before[1])] if before else ["", ""]
        named = [f"{value:,}" for value in (size.n_steps, size.hidden, size.batch, size.n_symbols)]
        yield [*named, number(step_ms), ratios[0], number(extra_mb), ratios[1]]
        before = step_ms, extra_mb
