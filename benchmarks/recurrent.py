"""The classic cells beside torch's own layers, at two sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle

import torch
from torch import Tensor

from baselines import TorchModel, adamw, step_of, torch_layer
from compiling import has_compiler
from ours import cell_maker, learner_of_ids, make_model, random_batches, step_over
from report import COMPARED, Compare, Section, missing, table
from seqgen.cells import Cell, compile_steps
from timing import Done, OfARun, Rounds, Setting, Size, Work, interleave

CAPTION = """Tokens a second of whole training steps (embedding, layer, head, cross entropy, AdamW), float32, against
the same model with torch.nn.RNN, GRU or LSTM: same sizes, same batches of random ids that fill every place (no
padding on either side, V = 60), time first in memory. Each of torch's models is trained with torch.optim.AdamW as it
is by default and with fused=True, and a goal counts against both. `layer` rows are forward and backward of the layer
alone, the gradient of its input included. `mingru` is compared with torch.nn.GRU of the same H. `gru, compiled` is
the same cell with its steps compiled, as in a long run (compiling itself is in the table `stranger`)."""
N_SYMBOLS = 60


@dataclass(frozen=True)
class Promised(Size):
    """Sizes with goals, by the name of our cell."""

    goals: dict[str, float]


SIZES = (
    Promised(64, 32, 16, 16, 1, {"vanilla tanh": 1.3, "vanilla relu": 1.3, "gru": 1.3, "lstm": 0.97, "mingru": 2.4}),
    Promised(256, 64, 40, 64, 2, {"vanilla tanh": 1.3, "vanilla relu": 1.3, "gru": 1.5, "lstm": 0.97}),
)
PAIRS = {"vanilla tanh": "rnn tanh", "vanilla relu": "rnn relu", "gru": "gru", "lstm": "lstm", "mingru": "gru"}


def measure(setting: Setting) -> Section:
    """The tables, one a size, and one of a GPU if there is one."""
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
    return Section("recurrent", "the classic cells beside torch's layers", CAPTION, blocks)


def rows(size: Promised, rounds: Rounds, *, layers: bool = True, goals: bool = True) -> Iterator[list[str]]:
    """The rows of a size."""
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


def our_cell(name: str) -> Callable[[int, int], Cell]:
    """What builds a cell by its name here: "vanilla tanh" is vanilla with that activation."""
    name, _, activation = name.partition(" ")
    return cell_maker(name, **({"activation": activation} if activation else {}))


def step_variants(size: Promised, setting: Setting, device: str) -> dict[str, Work]:
    """Whole training steps of both sides, on the same batches."""
    sizes = size.hidden, size.embedding
    batches = [batch.to(torch.device(device)) for batch in random_batches(N_SYMBOLS, size.batch, size.n_steps, 8)]
    pairs = [(batch.ids_BT.t().contiguous(), batch.targets_BT.t().contiguous()) for batch in batches]
    variants: dict[str, Work] = {}
    for layer in dict.fromkeys(PAIRS[cell] for cell in size.goals):
        for kind, fused in (("default AdamW", False), ("fused AdamW", True)):
            model = TorchModel(N_SYMBOLS, layer, *sizes).to(device)
            step, over = step_of(model, adamw(model, fused=fused)), cycle(pairs)
            variants[f"torch {layer}, {kind}"] = _steps(lambda s=step, o=over: s(*next(o)), size, setting, device)
    ours = [(f"{cell}, whole step", cell, "fused") for cell in size.goals]
    if size == SIZES[1] and device == "cpu" and has_compiler():
        ours.append(("gru, compiled", "gru", "compiled"))
    for name, cell, engine in ours:
        model = make_model(N_SYMBOLS, our_cell(cell), *sizes).to(device)
        learner = learner_of_ids(model, N_SYMBOLS, engine=engine, weight_decay=0.01)
        if engine == "compiled":
            learner.take(batches[0])
            compile_steps(model)
        take = step_over(learner, batches)
        variants[name] = OfARun(_steps(take, size, setting, device), take)
    return variants


def layer_variants(size: Promised, setting: Setting) -> dict[str, Work]:
    """Forward and backward of the layers alone."""
    torch.manual_seed(0)
    x_TBI = torch.randn(size.n_steps, size.batch, size.embedding, requires_grad=True)
    dy_TBH = torch.randn(size.n_steps, size.batch, size.hidden)
    variants: dict[str, Work] = {}
    for name in dict.fromkeys(PAIRS[cell] for cell in size.goals):
        layer = torch_layer(name, size.embedding, size.hidden)
        once = _through(layer, lambda layer=layer: layer(x_TBI)[0], x_TBI, dy_TBH)
        variants[f"torch {name}, layer"] = _steps(once, size, setting, "cpu")
    for name in size.goals:
        cell = our_cell(name)(size.embedding, size.hidden)

        def run(cell: Cell = cell) -> Tensor:
            return cell(x_TBI.transpose(0, 1), cell.initial_state(size.batch))[0].transpose(0, 1)

        once = _through(cell, run, x_TBI, dy_TBH)
        variants[f"{name}, layer"] = OfARun(_steps(once, size, setting, "cpu"), once)
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
