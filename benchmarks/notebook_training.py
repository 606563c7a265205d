"""Training the course notebook's model: embedding 16, 64 ReLU units, 32 names of at most 15 letters per step, Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from fixtures import encode, endless_batches, make_learner, make_model, names, steps, train_texts
from notebook_port import notebook_step
from report import COMPARED, Compare, Section, table
from seqgen.batches import Batch, Encoded
from timing import Setting, Work, interleave, repeat
from torch_baselines import EagerVanilla, TorchModel, adam, make_step

BATCH, HIDDEN, EMBEDDING = 32, 64, 16
CAPTION = """Training steps per second of the course notebook's model (embedding 16, 64 ReLU units over [x, h], Adam
with a learning rate of 1e-3, no clipping, no dropout), float32, 1 thread. A step is 32 names. `bare` is the same model
as an eager time loop: embedding and head once for all steps, [x, h] concatenated inside the loop, default
torch.optim.Adam, random batches indexed from one tensor encoded beforehand, padded to the longest name (T = 16).
`literal` is a port of the notebook's own loop: strings are encoded in every step, head and softmax are inside the time
loop, the loss uses one-hot targets and is read after every step. `seqgen` makes its batches within the measured time,
as a run does, from names of similar length; `seqgen, padded` uses random ones padded to T = 16, like `bare`."""


def measure(setting: Setting) -> Section:
    """Return the section."""
    corpus = names()
    data, n_steps = encode(corpus), setting.pick(100, 2)
    train, V = data.encoded["train"], data.vocabulary.size
    literal = notebook_step(train_texts(corpus), BATCH, HIDDEN)
    variants: dict[str, Work] = {"literal": repeat(literal, n_steps, {"steps": n_steps})}
    for fused in (False, True):
        bare, torchs = EagerVanilla(V, HIDDEN, EMBEDDING), TorchModel(V, "rnn relu", HIDDEN, EMBEDDING)
        for name, model in (("bare", bare), ("torch.nn.RNN", torchs)):
            step = make_step(model, adam(model, fused=fused))
            variants[f"{name}, fused Adam" if fused else name] = torch_steps(step, tensors(train), n_steps)
    for name, engine, batches in (
        ("seqgen", "fused", endless_batches(train, BATCH)),
        ("seqgen, padded", "fused", padded_batches(train)),
        ("seqgen, eager", "eager", endless_batches(train, BATCH)),
    ):
        learner = make_learner(make_model(V, "vanilla", HIDDEN, EMBEDDING), data, engine=engine)
        variants[name] = steps(learner.take, batches, n_steps, BATCH, ours=True)
    with setting.threads(1):
        rounds = interleave(variants, setting.rounds)
    rows = [Compare(name, "steps", "bare") for name in variants if name != "seqgen"]
    rows += [Compare("seqgen", "steps", "bare", 2.5), Compare("seqgen", "steps", "literal", 4.5)]
    return Section(
        "notebook_training",
        "the notebook's configuration",
        CAPTION,
        [table(COMPARED, [row.row(rounds) for row in rows])],
    )


def tensors(train: Encoded) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield random batches (T, B), padded to the longest record of all, as rows of one tensor."""
    everything = train.take(np.arange(len(train)))
    torch.manual_seed(0)
    while True:
        rows_B = torch.randint(len(train), (BATCH,))
        yield everything.ids_BT[rows_B].t(), everything.targets_BT[rows_B].t()


def padded_batches(train: Encoded) -> Iterator[Batch]:
    """Yield random padded batches for seqgen's model."""
    random = np.random.default_rng(0)
    longest = int(train.lengths_N.max()) - 1
    while True:
        rows_B = random.integers(len(train), size=BATCH)
        yield train.take(rows_B, pad=lambda _: longest)


def torch_steps(step: Callable[[Tensor, Tensor], None], batches: Iterator[tuple[Tensor, Tensor]], n_steps: int) -> Work:
    """Return work of ``n_steps`` steps of a baseline, including the making of batches."""
    return repeat(lambda: step(*next(batches)), n_steps, {"steps": n_steps})
