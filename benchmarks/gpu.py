"""Training steps on a GPU: tokens per second of seven cells at three sizes, each way to run them.

    python benchmarks/gpu.py [--seconds 420] [--device cpu --quick]

Without a GPU the page says of every cell "not measured". ``--device cpu --quick`` makes everything tiny and prints the
table, to see that it runs: without the columns that need a GPU or torch's compiler.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, cycle

import torch
from torch import Tensor, nn
from torch.nn import functional

from cuda_graph import GraphStep, StackedStep
from fixtures import make_model, random_batches
from report import number, table, write_page
from seqgen.batches import Batch
from seqgen.cells import compile_steps, use_engine
from seqgen.compute import without_filling
from seqgen.errors import one_line
from seqgen.evaluation import total_nats
from seqgen.model import count_parameters
from seqgen.tokenizers import EOS
from seqgen.training.train_step import TrainStep
from torch_baselines import TorchModel

CAPTION = """Written by `python benchmarks/gpu.py`: thousands of tokens per second of whole training steps (embedding,
one layer, head, loss, backward pass, clipping, AdamW) in float32, on batches of 64 rows and 32 steps of random ids, of
which there are 60; the embedding is as wide as the layer. A number is the median of three measurements of 0.3 s.

- torch's layer: nn.LSTM or nn.GRU, under autograd, with torch.optim.AdamW(fused=True).
- eager: the cell's steps one by one under autograd, with the same optimizer; torch.compile: the same, compiled.
- fused, scan, compiled: [engines](../../docs/concepts/cell.md#engines) of seqgen.
- graph: the default engine, the whole step as one CUDA graph for each length (`benchmarks/cuda_graph.py`).
- 8 seeds: eight models trained as one, tokens of all of them; and the same as a graph.

The last three columns are experiments, not engines of seqgen: what they gain decides whether they become engines."""
CELLS = ("lstm", "gru", "ugrnn", "mogrifier", "mingru", "mamba", "transformer")
SIZES = {"30k": 30_000, "1M": 1_000_000, "10M": 10_000_000}
COLUMNS = (
    "torch's layer", "eager", "torch.compile", "fused", "scan", "compiled", "graph", "8 seeds", "8 seeds, graph",
)  # fmt: skip
NEEDS_GPU = {"torch.compile", "compiled", "graph", "8 seeds, graph"}
"""Columns left out on a CPU: graphs, and those whose compiler takes minutes there."""
_N_SYMBOLS, _N_SEEDS, _LR, _DECAY, _CLIP = 60, 8, 1e-3, 0.01, 1.0
Step = Callable[[], object]


@dataclass(frozen=True)
class Work:
    """The device and the sizes of a measurement.

    Attributes:
        device: where.
        n_rows: B.
        n_steps: T.
        n_parameters: of a model, at most.
        measured_s: seconds of a measurement.
        deadline: time at which ``time.monotonic`` says that no other measurement begins.
    """

    device: torch.device
    n_rows: int = 64
    n_steps: int = 32
    n_parameters: int = 0
    measured_s: float = 0.3
    deadline: float = float("inf")

    def batches(self) -> list[Batch]:
        """Return eight batches of random ids."""
        return [batch.to(self.device) for batch in random_batches(_N_SYMBOLS, self.n_rows, self.n_steps, 8)]

    @property
    def penalty_V(self) -> Tensor:
        """The penalty of symbols that are never predicted."""
        penalty_V = torch.zeros(_N_SYMBOLS)
        penalty_V[:EOS] = -torch.inf
        return penalty_V.to(self.device)


def find_width(build: Callable[[int], nn.Module], n_parameters: int) -> int:
    """Return the largest width, in multiples of 8, whose model has at most so many parameters."""

    def fits(width: int) -> bool:
        with torch.device("meta"), without_filling():
            return count_parameters(build(width)) <= n_parameters

    widths = range(8, 8192, 8)
    low, high = 0, len(widths)
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(widths[middle]) else (low, middle)
    return widths[low]


@functools.cache
def width_of(cell: str, n_parameters: int) -> int:
    """Return the width of a cell's models of at most so many parameters."""
    return find_width(lambda width: make_model(_N_SYMBOLS, cell, width, width), n_parameters)


def make(cell: str, work: Work) -> nn.Module:
    """Build a model of a cell with about the parameters of the work, on its device."""
    width = width_of(cell, work.n_parameters)
    return make_model(_N_SYMBOLS, cell, width, width).to(work.device).train()


def over(batches: list[Batch], take: Callable[[int, Batch], object]) -> Step:
    """Return a step that takes the next batch, with its number from 1."""
    numbers, endless = count(1), cycle(batches)
    return lambda: take(next(numbers), next(endless))


def under_autograd(model: nn.Module, nats: Callable[[Batch], Tensor], batches: list[Batch]) -> Step:
    """Return a step by autograd and torch's own optimizer."""
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, _LR, weight_decay=_DECAY, fused=True)

    def take(_: int, batch: Batch) -> None:
        optimizer.zero_grad()
        (nats(batch) / batch.n_targets).backward()
        nn.utils.clip_grad_norm_(parameters, _CLIP)
        optimizer.step()

    return over(batches, take)


def torch_layer(cell: str, work: Work) -> Step:
    """Return a step of nn.LSTM or nn.GRU."""
    width = find_width(lambda width: TorchModel(_N_SYMBOLS, cell, width, width), work.n_parameters)
    model = TorchModel(_N_SYMBOLS, cell, width, width).to(work.device)

    def nats(batch: Batch) -> Tensor:
        logits_TBV = model(batch.ids_BT.t())
        return functional.cross_entropy(logits_TBV.flatten(0, 1), batch.targets_BT.t().flatten(), reduction="sum")

    return under_autograd(model, nats, work.batches())


def eager(cell: str, work: Work, *, compiles: bool = False) -> Step:
    """Return a step of single steps under autograd, compiled or not."""
    model, penalty_V = make(cell, work), work.penalty_V
    use_engine(model, "eager")

    def nats(batch: Batch) -> Tensor:
        return total_nats(model, batch, penalty_V)

    return under_autograd(model, torch.compile(nats) if compiles else nats, work.batches())


def with_engine(cell: str, work: Work, engine: str) -> Step:
    """Return a step of an engine of seqgen."""
    model, batches = make(cell, work), work.batches()
    use_engine(model, engine)
    steps = TrainStep(model, work.penalty_V, weight_decay=_DECAY, clip_norm=_CLIP, precision="float32")
    if engine == "compiled":
        steps.differentiate(batches[0])
        compile_steps(model)
    return over(batches, lambda number, batch: steps.run(number, _LR, batch, number))


def graph(cell: str, work: Work) -> Step:
    """Return a step as a CUDA graph."""
    steps = GraphStep(
        make(cell, work), work.penalty_V, weight_decay=_DECAY, clip_norm=_CLIP, precision="float32", captures=True
    )
    return over(work.batches(), lambda number, batch: steps.run(number, _LR, batch, number))


def stacked(cell: str, work: Work, *, captures: bool = False) -> Step:
    """Return a step of several models, all on the same batch here."""
    steps = StackedStep(
        [make(cell, work) for _ in range(_N_SEEDS)], work.penalty_V, weight_decay=_DECAY, clip_norm=_CLIP,
        shape=(work.n_rows, work.n_steps), captures=captures,
    )  # fmt: skip
    return over(work.batches(), lambda number, batch: steps.run(number, _LR, [batch] * _N_SEEDS))


def build(column: str, cell: str, work: Work) -> Step:
    """Return the step that a column measures."""
    if column == "torch's layer":
        return torch_layer(cell, work)
    if column in ("eager", "torch.compile"):
        return eager(cell, work, compiles=column == "torch.compile")
    if column == "graph":
        return graph(cell, work)
    if column.startswith("8 seeds"):
        return stacked(cell, work, captures=column.endswith("graph"))
    return with_engine(cell, work, column)


def measure(column: str, cell: str, work: Work) -> str:
    """Return thousands of tokens per second, or why there is no number."""
    if column == "torch's layer" and cell not in ("lstm", "gru"):
        return ""
    if column in NEEDS_GPU and work.device.type != "cuda":
        return "not measured"
    if time.monotonic() > work.deadline:
        return "not measured: out of time"
    try:
        rate = steps_per_s(build(column, cell, work), work)
    except Exception as error:
        return f"not measured: {one_line(error, 80)}".replace("|", "/")
    models = _N_SEEDS if column.startswith("8 seeds") else 1
    return number(rate * work.n_rows * work.n_steps * models / 1000)


def steps_per_s(step: Step, work: Work) -> float:
    """Return the median rate of three measurements."""

    def wait() -> None:
        if work.device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(3):
        step()
    rates = []
    for _ in range(3):
        wait()
        started, n_steps = time.perf_counter(), 0
        while time.perf_counter() < started + work.measured_s:
            step()
            n_steps += 1
            if n_steps % 8 == 0:
                wait()  # or the queue of the GPU grows beyond the time
        wait()
        rates.append(n_steps / (time.perf_counter() - started))
    return statistics.median(rates)


def rows(work: Work) -> Iterator[list[str]]:
    """Yield the rows of a size; torch's compiler, which takes longest, comes last."""
    found: dict[tuple[str, str], str] = {}
    for column in sorted(COLUMNS, key=lambda column: column in ("torch.compile", "compiled")):
        for cell in CELLS:
            found[cell, column] = measure(column, cell, work)
    for cell in CELLS:
        yield [cell, *(found[cell, column] for column in COLUMNS)]


def main() -> None:
    """Measure, print, and store the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=420.0, help="after which no measurement begins")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs; prints only")
    given = parser.parse_args()
    if given.device == "cpu" and not given.quick:
        parser.error("--device cpu is for --quick: the page is of a GPU")
    started = time.monotonic()
    blocks = []
    sizes = {"2k": 2000} if given.quick else SIZES
    there = given.device == "cpu" or torch.cuda.is_available()
    for place, (size, n_parameters) in enumerate(sizes.items(), 1):
        work = Work(torch.device(given.device), n_parameters=n_parameters)
        work = replace(work, deadline=started + given.seconds * place / len(sizes))
        if given.quick:
            work = replace(work, n_rows=4, n_steps=8, measured_s=0.01)
        measured = rows(work) if there else ([cell, *["not measured"] * len(COLUMNS)] for cell in CELLS)
        blocks += [f"## {size} parameters", table(["cell", *COLUMNS], measured)]
        print("\n\n".join(blocks[-2:]), flush=True)
    if not given.quick:
        write_page("gpu", "Training steps on a GPU", CAPTION, 3, *blocks)


if __name__ == "__main__":
    main()
