"""The notebook's configuration: embedding 16, 64 ReLU units, names of at most 15 letters, 32 of them a step, Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from baselines import BareVanilla, TorchModel, adam, step_of
from literal import notebook_step
from ours import encode, endless_batches, learner_of, make_model, names, steps, train_texts
from report import COMPARED, Compare, Section, table
from seqgen.batches import Batch, Encoded
from timing import Setting, Work, interleave, repeat

BATCH, HIDDEN, EMBEDDING = 32, 64, 16
CAPTION = """Training steps a second of the model of the course notebook (embedding 16, 64 ReLU units over [x, h],
Adam with rate 1e-3, no clipping, no dropout), float32, 1 thread. A step is 32 names. `bare` is the same model as an
eager time loop: embedding and head once for all steps, [x, h] concatenated inside the loop, torch.optim.Adam as it is
by default, random batches indexed from one tensor that was encoded before, padded to the longest name (T = 16).
`literal` is a port of the notebook's own loop: strings are encoded in every step, head and softmax stand inside the
time loop, the loss takes one-hot answers and is read after every step. `seqgen` makes its batches within the time, as
a run does: names of like length together, trimmed; `seqgen, padded` takes random ones padded to T = 16, as `bare`."""


def measure(setting: Setting) -> Section:
    """The table."""
    corpus = names()
    data, n_steps = encode(corpus), setting.pick(100, 2)
    train, V = data.encoded["train"], data.vocabulary.size
    literal = notebook_step(train_texts(corpus), BATCH, HIDDEN)
    variants: dict[str, Work] = {"literal": repeat(literal, n_steps, {"steps": n_steps})}
    for fused in (False, True):
        bare, torchs = BareVanilla(V, HIDDEN, EMBEDDING), TorchModel(V, "rnn relu", HIDDEN, EMBEDDING)
        for name, model in (("bare", bare), ("torch.nn.RNN", torchs)):
            step = step_of(model, adam(model, fused=fused))
            variants[f"{name}, fused Adam" if fused else name] = on_tensors(step, tensors(train), n_steps)
    for name, engine, batches in (
        ("seqgen", "fused", endless_batches(train, BATCH)),
        ("seqgen, padded", "fused", padded_batches(train)),
        ("seqgen, eager", "eager", endless_batches(train, BATCH)),
    ):
        learner = learner_of(make_model(V, "vanilla", HIDDEN, EMBEDDING), data, engine=engine)
        variants[name] = steps(learner.take, batches, n_steps, BATCH, ours=True)
    with setting.threads(1):
        rounds = interleave(variants, setting.rounds)
    rows = [Compare(name, "steps", "bare") for name in variants if name != "seqgen"]
    rows += [Compare("seqgen", "steps", "bare", 2.5), Compare("seqgen", "steps", "literal", 4.5)]
    return Section(
        "small", "the notebook's configuration", CAPTION, [table(COMPARED, [row.row(rounds) for row in rows])]
    )


def tensors(train: Encoded) -> Iterator[tuple[Tensor, Tensor]]:
    """Random batches, (T, B), padded to the longest record of all: rows of one tensor."""
    everything = train.take(np.arange(len(train)))
    torch.manual_seed(0)
    while True:
        rows_B = torch.randint(len(train), (BATCH,))
        yield everything.ids_BT[rows_B].t(), everything.targets_BT[rows_B].t()


def padded_batches(train: Encoded) -> Iterator[Batch]:
    """Such batches for ours."""
    random = np.random.default_rng(0)
    longest = int(train.lengths_N.max()) - 1
    while True:
        rows_B = random.integers(len(train), size=BATCH)
        yield train.take(rows_B, pad=lambda _: longest)


def on_tensors(step: Callable[[Tensor, Tensor], None], batches: Iterator[tuple[Tensor, Tensor]], n_steps: int) -> Work:
    """So many steps of a baseline; making the batches counts."""
    return repeat(lambda: step(*next(batches)), n_steps, {"steps": n_steps})
