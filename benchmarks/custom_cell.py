"""A user's step cell under each engine, against the same equations in an eager time loop."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import astuple
from itertools import cycle
from pathlib import Path
from unittest.mock import patch

from compile_time import CELLS, N_SYMBOLS, compile_s, compiler_env, has_compiler
from custom_cells_torch import TorchLayerNormLSTM, TorchUGRNN
from fixtures import cycle_steps, make_id_learner, make_model, random_batches
from report import COMPARED, Compare, Section, missing, number, table, verdict
from seqgen.batches import Batch
from seqgen.cells import compile_steps
from timing import Rounds, Setting, Size, WithRunMemory, Work, interleave, repeat
from torch_baselines import EagerLoop, adam, make_step

CAPTION = """Tokens per second of whole training steps (embedding, cell, head, cross entropy, fused Adam) of the two
cells of `custom_cells.py`, float32, random ids without padding, V = 60. The baseline `eager loop` has the same
equations (`custom_cells_torch.py`) in a time loop under autograd: embedding and head once for all steps, x projected
inside the step, and torch.optim.Adam with fused=True. `scan` is the engine without compiling, `compiled` with its
steps compiled in chunks, after compiling; `eager` is the engine running step by step under autograd."""
WARM_GOAL_S = 4.0


SIZES = (Size(64, 32, 16, 16, 1), Size(256, 64, 40, 64, 2))
QUICK = (Size(8, 4, 8, 4, 1),)
BARE = {"UGRNN": TorchUGRNN, "layer-norm LSTM": TorchLayerNormLSTM}
COMPILED_GOALS = {("UGRNN", 64): 2.0, ("layer-norm LSTM", 64): 1.6, ("UGRNN", 256): 1.7, ("layer-norm LSTM", 256): 1.7}
_NO_COMPILER = "no compiler"


def measure(setting: Setting) -> Section:
    """Return the section: speed, one table per size, and seconds of compiling."""
    blocks, seconds = [], []
    with tempfile.TemporaryDirectory() as cache, patch.dict(os.environ, compiler_env(Path(cache))):
        for size in setting.pick(SIZES, QUICK):
            cells = setting.pick(list(CELLS), ["UGRNN"])
            seconds += [compile_row(cell, size, Path(cache), setting) for cell in cells]
            with setting.threads(size.threads):
                variants = {name: work for cell in cells for name, work in cell_variants(cell, size, setting)}
                rounds = interleave(variants, setting.rounds)
            blocks += [f"**{size}**", table(COMPARED, rows(rounds, cells, size))]
    head = ["compiling", "cold s", "warm s", "goal", "met"]
    blocks += [
        "**Seconds of compiling** in a new process, from the first ordinary step to the first compiled one, the import "
        "of the compiler included: with an empty cache on disk (once), and with a filled one (the median of 3)",
        table(head, seconds),
    ]
    return Section("custom_cell", "a user's step cell", CAPTION, blocks)


def compile_row(cell: str, size: Size, cache: Path, setting: Setting) -> list[str]:
    """Return the row of a cell's compile times; this fills the cache."""
    name = f"{cell}, H = {size.hidden}, T = {size.n_steps}"
    if not has_compiler():
        return [name, f"not measured: {_NO_COMPILER}", "", "", ""]
    if setting.quick:
        return [name, "not measured: quick", "", "", ""]
    cold_s = compile_s(cell, astuple(size), cache)
    middle_s = statistics.median(compile_s(cell, astuple(size), cache) for _ in range(3))
    return [name, number(cold_s), number(middle_s), *verdict(middle_s, WARM_GOAL_S, most=True)]


def cell_variants(cell: str, size: Size, setting: Setting) -> Iterator[tuple[str, Work]]:
    """Yield the work of a cell under each engine."""
    batches = random_batches(N_SYMBOLS, size.batch, size.n_steps, 8)
    pairs = [(batch.ids_BT.t().contiguous(), batch.targets_BT.t().contiguous()) for batch in batches]
    model = EagerLoop(N_SYMBOLS, BARE[cell], size.hidden, size.embedding)
    step, over = make_step(model, adam(model, fused=True)), cycle(pairs)
    yield f"{cell}, eager loop", _steps(lambda: step(*next(over)), size, setting)
    for engine in ("eager", "scan", *(["compiled"] if has_compiler() else [])):
        take = seqgen_step(cell, size, engine, batches)
        yield f"{cell}, {engine}", WithRunMemory(_steps(take, size, setting), take)


def seqgen_step(cell: str, size: Size, engine: str, batches: list[Batch]) -> Callable[[], None]:
    """Return a training step of seqgen under an engine, compiled if the engine is."""
    model = make_model(N_SYMBOLS, CELLS[cell], size.hidden, size.embedding)
    learner = make_id_learner(model, N_SYMBOLS, engine=engine)
    if engine == "compiled":
        learner.take(batches[0])
        compile_steps(model)
    return cycle_steps(learner, batches)


def rows(rounds: Rounds, cells: list[str], size: Size) -> Iterator[list[str]]:
    """Yield the rows of a size."""
    for cell in cells:
        against = f"{cell}, eager loop"
        yield Compare(against, "tokens").row(rounds)
        yield Compare(f"{cell}, eager", "tokens", against).row(rounds)
        yield Compare(f"{cell}, scan", "tokens", against, 1.2).row(rounds)
        compiled = f"{cell}, compiled"
        if compiled in rounds.seconds:
            yield Compare(compiled, "tokens", against, COMPILED_GOALS.get((cell, size.hidden))).row(rounds)
        else:
            yield missing(compiled, _NO_COMPILER)


def _steps(step: Callable[[], object], size: Size, setting: Setting) -> Work:
    n_steps = setting.pick(50 if size.hidden < 100 else 12, 1)
    return repeat(step, n_steps, {"tokens": n_steps * size.batch * size.n_steps})
