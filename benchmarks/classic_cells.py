"""The classic cells against torch's own layers, at two sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle

import torch
from torch import Tensor

from compile_time import has_compiler
from fixtures import cell_factory, cycle_steps, make_id_learner, make_model, random_batches
from report import COMPARED, Compare, Section, missing, table
from seqgen.cells import Cell, compile_steps
from timing import Done, Rounds, Setting, Size, WithRunMemory, Work, interleave
from torch_baselines import TorchModel, adamw, make_step, torch_layer

CAPTION = """Tokens per second of whole training steps (embedding, layer, head, cross entropy, AdamW), float32, against
the same model with torch.nn.RNN, GRU or LSTM: same sizes, same batches of random ids without padding (V = 60),
time-first in memory. Each of torch's models is trained with torch.optim.AdamW, by default and with fused=True, and a
goal applies to both. `layer` rows are forward and backward of the layer alone, including the gradient of its input.
`mingru` is compared with torch.nn.GRU of the same H. `gru, compiled` is the same cell with its steps compiled, as in a
long run (compiling itself is in the table `custom_cell`)."""
N_SYMBOLS = 60


@dataclass(frozen=True)
class SizeWithGoals(Size):
    """Sizes with goals by cell name."""

    goals: dict[str, float]


SIZES = (
    SizeWithGoals(
        64, 32, 16, 16, 1, {"vanilla tanh": 1.3, "vanilla relu": 1.3, "gru": 1.3, "lstm": 0.97, "mingru": 2.4}
    ),
    SizeWithGoals(256, 64, 40, 64, 2, {"vanilla tanh": 1.3, "vanilla relu": 1.3, "gru": 1.5, "lstm": 0.97}),
)
PAIRS = {"vanilla tanh": "rnn tanh", "vanilla relu": "rnn relu", "gru": "gru", "lstm": "lstm", "mingru": "gru"}


def measure(setting: Setting) -> Section:
    """Return the section, with a table per size, and one for a GPU if there is one."""
    blocks = []
    tiny = replace(SIZES[0], hidden=8, batch=4, n_steps=4)
    for size in setting.pick(SIZES, (tiny,)):
        with setting.threads(size.threads):
            rounds = interleave(step_variants(size, setting, "cpu") | layer_variants(size, setting), setting.rounds)
        blocks += [f"**{size}**", table(COMPARED, rows(size, rounds))]
    blocks.append(f"**On a GPU, {SIZES[1]}** (cuDNN on both sides for gru and lstm; no goals)")
    if torch.cuda.is_available():
        rounds = interleave(step_variants(SIZES[1], setting, "cuda"), setting.rounds)
        blocks.append(table(COMPARED, rows(SIZES[1], rounds, layers=False, goals=False)))
    else:
        blocks.append(table(COMPARED, [missing(f"{cell}, whole step", "no GPU") for cell in SIZES[1].goals]))
    return Section("classic_cells", "the classic cells against torch's layers", CAPTION, blocks)


def rows(size: SizeWithGoals, rounds: Rounds, *, layers: bool = True, goals: bool = True) -> Iterator[list[str]]:
    """Yield the rows of a size."""
    for layer in dict.fromkeys(PAIRS[cell] for cell in size.goals):
        for kind in ("default AdamW", "fused AdamW", *(["layer"] if layers else [])):
            yield Compare(f"torch {layer}, {kind}", "tokens").row(rounds)
    for cell, goal in size.goals.items():
        for kind in ("default AdamW", "fused AdamW"):
            against = f"torch {PAIRS[cell]}, {kind}"
            yield Compare(f"{cell}, whole step", "tokens", against, goal if goals else None).row(rounds)
            if f"{cell}, compiled" in rounds.seconds:
                yield Compare(f"{cell}, compiled", "tokens", against, goal if goals else None).row(rounds)
        if layers:
            yield Compare(f"{cell}, layer", "tokens", f"torch {PAIRS[cell]}, layer").row(rounds)


def make_cell_by_name(name: str) -> Callable[[int, int], Cell]:
    """Return a factory of a cell by its name in the table: "vanilla tanh" is vanilla with that activation."""
    name, _, activation = name.partition(" ")
    return cell_factory(name, **({"activation": activation} if activation else {}))


def step_variants(size: SizeWithGoals, setting: Setting, device: str) -> dict[str, Work]:
    """Return whole training steps of both sides on the same batches."""
    sizes = size.hidden, size.embedding
    batches = [batch.to(torch.device(device)) for batch in random_batches(N_SYMBOLS, size.batch, size.n_steps, 8)]
    pairs = [(batch.ids_BT.t().contiguous(), batch.targets_BT.t().contiguous()) for batch in batches]
    variants: dict[str, Work] = {}
    for layer in dict.fromkeys(PAIRS[cell] for cell in size.goals):
        for kind, fused in (("default AdamW", False), ("fused AdamW", True)):
            model = TorchModel(N_SYMBOLS, layer, *sizes).to(device)
            step, over = make_step(model, adamw(model, fused=fused)), cycle(pairs)
            variants[f"torch {layer}, {kind}"] = _steps(lambda s=step, o=over: s(*next(o)), size, setting, device)
    ours = [(f"{cell}, whole step", cell, "fused") for cell in size.goals]
    if size == SIZES[1] and device == "cpu" and has_compiler():
        ours.append(("gru, compiled", "gru", "compiled"))
    for name, cell, engine in ours:
        model = make_model(N_SYMBOLS, make_cell_by_name(cell), *sizes).to(device)
        learner = make_id_learner(model, N_SYMBOLS, engine=engine, weight_decay=0.01)
        if engine == "compiled":
            learner.take(batches[0])
            compile_steps(model)
        take = cycle_steps(learner, batches)
        variants[name] = WithRunMemory(_steps(take, size, setting, device), take)
    return variants


def layer_variants(size: SizeWithGoals, setting: Setting) -> dict[str, Work]:
    """Return forward and backward passes of the layers alone."""
    torch.manual_seed(0)
    x_TBI = torch.randn(size.n_steps, size.batch, size.embedding, requires_grad=True)
    dy_TBH = torch.randn(size.n_steps, size.batch, size.hidden)
    variants: dict[str, Work] = {}
    for name in dict.fromkeys(PAIRS[cell] for cell in size.goals):
        layer = torch_layer(name, size.embedding, size.hidden)
        once = _through(layer, lambda layer=layer: layer(x_TBI)[0], x_TBI, dy_TBH)
        variants[f"torch {name}, layer"] = _steps(once, size, setting, "cpu")
    for name in size.goals:
        cell = make_cell_by_name(name)(size.embedding, size.hidden)

        def run(cell: Cell = cell) -> Tensor:
            return cell(x_TBI.transpose(0, 1), cell.initial_state(size.batch))[0].transpose(0, 1)

        once = _through(cell, run, x_TBI, dy_TBH)
        variants[f"{name}, layer"] = WithRunMemory(_steps(once, size, setting, "cpu"), once)
    return variants


def _through(layer: torch.nn.Module, run: Callable[[], Tensor], x_TBI: Tensor, dy_TBH: Tensor) -> Callable[[], None]:
    def once() -> None:
        layer.zero_grad(set_to_none=True)
        x_TBI.grad = None
        run().backward(dy_TBH)

    return once


def _steps(step: Callable[[], object], size: Size, setting: Setting, device: str) -> Work:
    n_steps = setting.pick(60 if size.hidden < 100 else 12, 1)

    def work() -> Done:
        for _ in range(n_steps):
            step()
        if device == "cuda":
            torch.cuda.synchronize()
        return {"tokens": n_steps * size.batch * size.n_steps}

    return work
