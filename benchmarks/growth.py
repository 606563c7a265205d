"""How time and memory of a training step grow with length, width, batch and vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle

from torch.profiler import ProfilerActivity, profile

from ours import learner_of_ids, make_model, random_batches
from report import Section, number, table
from timing import Rounds, Setting, interleave, repeat

CAPTION = """Time and extra memory of a whole training step of a model of one GRU layer as one size doubles, the
others as in the first row; embedding as wide as the layer, random ids that fill every place, float32, 1 thread.
Milliseconds are the median over interleaved rounds. Megabytes are the most that torch held during one step beyond
what it held before (the weights and the optimizer's moments are there before, gradients count), as its profiler saw
every allocation. "x" is the ratio to the row above: T and B should double both at most, H quadruple them at most, V
double them at most."""
HEAD = ["length T", "width H", "batch B", "vocabulary V", "ms", "x", "MB", "x"]


@dataclass(frozen=True)
class Size:
    """Sizes of a step."""

    n_steps: int = 16
    hidden: int = 64
    batch: int = 32
    n_symbols: int = 64


def measure(setting: Setting) -> Section:
    """A table for each size that doubles."""
    series = {name: list(doubled(name, setting.pick(4, 2))) for name in Size.__dataclass_fields__}
    sizes = list(dict.fromkeys(size for row in series.values() for size in row))
    with setting.threads(1):
        steps = {size: step_of(size) for size in sizes}
        memory = {size: extra_bytes(step) for size, step in steps.items()}
        variants = {str(size): repeat(steps[size], setting.pick(10, 1), {}) for size in sizes}
        rounds = interleave(variants, setting.rounds)
    per_call = setting.pick(10, 1)
    blocks = [table(HEAD, rows(row, rounds, memory, per_call)) for row in series.values()]
    return Section("growth", "growth with length, width, batch and vocabulary", CAPTION, blocks)


def doubled(name: str, n: int) -> Iterator[Size]:
    """Sizes of which one doubles."""
    for power in range(n):
        yield replace(Size(), **{name: getattr(Size(), name) * 2**power})


def step_of(size: Size) -> Callable[[], None]:
    """A training step."""
    model = make_model(size.n_symbols, "gru", size.hidden, size.hidden)
    learner = learner_of_ids(model, size.n_symbols)
    over = cycle(random_batches(size.n_symbols, size.batch, size.n_steps, 2))
    return lambda: learner.take(next(over))


def extra_bytes(step: Callable[[], None]) -> int:
    """The most that is held during a step beyond what is held before it."""
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
    """A row a size."""
    before: tuple[float, float] | None = None
    for size in sizes:
        step_ms, extra_mb = rounds.median_s(str(size)) / per_call * 1000, memory[size] / 1e6
        ratios = [number(step_ms / before[0]), number(extra_mb / before[1])] if before else ["", ""]
        named = [f"{value:,}" for value in (size.n_steps, size.hidden, size.batch, size.n_symbols)]
        yield [*named, number(step_ms), ratios[0], number(extra_mb), ratios[1]]
        before = step_ms, extra_mb
