"""Training three-layer LSTMs on strings with the lengths of molecules, against the CharRNN of MOSES."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fixtures import encode, endless_batches, make_learner, make_model, molecules, steps
from matmul import products, training_gflop
from report import COMPARED, Compare, Section, table
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.batches import Batch, Encoded
from timing import Rounds, Setting, Work, interleave
from torch_baselines import PackedModel, TorchModel, adam, make_step

BATCH, LAYERS, EMBEDDING = 64, 3, 32
CAPTION = """Real tokens per second (without padding) of whole training steps of an LSTM of 3 layers, embedding 32,
batch 64, no dropout, Adam with a learning rate of 1e-3, float32, 2 threads. The records are random strings of 30
symbols with the lengths of the molecules of MOSES (mean 36, deviation 6, clipped to 15 .. 57); the corpus `smiles` has
other lengths. The baseline `torch, packed` trains like the CharRNN of MOSES: random batches, longest first, packed,
through torch.nn.LSTM; default torch.optim.Adam. The rows `padded` and `by length` are torch.nn.LSTM over padded
batches, random ones and seqgen's. Making batches counts on all sides. The rate of matrix products (6 operations per
weight and computed position, padding included) is compared with that of products alone, of one time step (64 rows) and
large ones (2,048 rows), measured in the same rounds."""


def measure(setting: Setting) -> Section:
    """Return the section, with one table per width."""
    data = encode(molecules(setting.pick(20_000, 500)))
    blocks = []
    for hidden, goal in ((768, 1.8), (128, 2.0)):
        hidden = setting.pick(hidden, 16)
        n_steps = setting.pick(2 if hidden == 768 else 20, 1)
        variants = training_variants(data, hidden, n_steps)
        if goal == 1.8:
            variants |= {f"products {m} x {hidden} x {4 * hidden}": products(m, hidden, 4 * hidden, setting)
                         for m in (BATCH, 2048)}  # fmt: skip
        with setting.threads(2):
            rounds = interleave(variants, setting.rounds)
        blocks += [f"**{LAYERS} x {hidden}**", table(COMPARED, rows(rounds, goal))]
    return Section("molecule_training", "LSTM 3 x 768 and 3 x 128 at the lengths of molecules", CAPTION, blocks)


def rows(rounds: Rounds, goal: float) -> Iterator[list[str]]:
    """Yield the rows of a width."""
    for name in rounds.seconds:
        if name.startswith("torch"):
            yield Compare(name, "tokens", None if name == "torch, packed" else "torch, packed").row(rounds)
    yield Compare("seqgen", "tokens", "torch, packed", goal).row(rounds)
    for name in rounds.seconds:
        if name.startswith("products"):
            yield Compare(name, "gflop").row(rounds)
            yield Compare("seqgen", "gflop", name, 0.9).row(rounds)


def training_variants(data: EncodedCorpus, hidden: int, n_steps: int) -> dict[str, Work]:
    """Return seqgen's and torch's training, each with its own batches."""
    V, train = data.vocabulary.size, data.encoded["train"]
    sizes = "lstm", hidden, EMBEDDING, LAYERS
    variants: dict[str, Work] = {}
    for name, kind, fused, batches in (
        ("torch, packed", PackedModel, False, longest_first_batches(train)),
        ("torch, packed, fused Adam", PackedModel, True, longest_first_batches(train)),
        ("torch, padded, fused Adam", TorchModel, True, longest_first_batches(train)),
        ("torch, padded, by length, fused Adam", TorchModel, True, endless_batches(train, BATCH)),
    ):
        model = kind(V, *sizes)
        step = make_step(model, adam(model, fused=fused))
        variants[name] = steps(lambda b, step=step: step(b.ids_BT.t(), b.targets_BT.t()), batches, n_steps)
    ours = make_model(V, "lstm", hidden, EMBEDDING, LAYERS)
    batches = endless_batches(train, BATCH)
    variants["seqgen"] = steps(
        make_learner(ours, data).take, batches, n_steps, gflop_of=training_gflop(ours), ours=True
    )
    return variants


def longest_first_batches(train: Encoded) -> Iterator[Batch]:
    """Yield random batches, longest record first."""
    random = np.random.default_rng(0)
    while True:
        rows_B = random.integers(len(train), size=BATCH)
        yield train.take(rows_B[np.argsort(-train.lengths_N[rows_B], kind="stable")])
