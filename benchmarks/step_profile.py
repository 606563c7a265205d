"""Profile of a training step: time per part, and share of the machine's matrix-product rate."""

from __future__ import annotations

import gc
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, pairwise

import torch

from custom_cells import UGRNN
from fixtures import (
    Learner,
    encode,
    endless_batches,
    make_id_learner,
    make_learner,
    make_model,
    molecules,
    names,
    random_batches,
    steps,
)
from matmul import products, training_gflop
from report import COMPARED, Compare, Section, table, verdict
from run_breakdown import CUSTOM_CELL, measure_run
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.batches import Batch
from seqgen.compute import keeping_memory
from seqgen.corpus import Corpus
from seqgen.training.train_step import StepResult
from timing import Setting, interleave

CAPTION = """Shares of training time: the parts of a step are timed separately within training as in a run (median over
the rounds); `other` is the rest. `data ms` is reading the corpus, counting it, fitting the tokenizer, splitting and
encoding (median too); `data and batches` is the share of these and of batches in a run of 1,000 such steps. Molecules
are the 20,000 strings of the table `molecule_training`."""
RUNS = """**Within runs**: the same for `seqgen train --corpus names --steps 1000` with the sizes above, timed within
the run (medians over as many runs as there are rounds). `training` is training and evaluation, as counted for
`--time`; the shares are of all columns. The goal applies to encoding and batches."""
GOAL = 0.03
PARTS = ("batches", "loss and gradients", "clipping and update")
N_SYMBOLS = 60
HEAD = ["model", "threads", "ms per step", *PARTS, "other", "data ms", "data and batches", "goal", "met"]
HEAD_OF_RUNS = ["model", "reading ms", "encoding ms", "batches ms", "training s", "with reading"]
HEAD_OF_RUNS += ["encoding and batches", "goal", "met"]


@dataclass(frozen=True)
class Configuration:
    """A training run to profile, with ``n_steps`` per round."""

    title: str
    cell: str | type
    corpus: str
    hidden: int
    embedding: int
    layers: int
    batch: int
    threads: int
    n_steps: int


CONFIGURATIONS = [
    Configuration("notebook: vanilla 64, names", "vanilla", "names", 64, 16, 1, 32, 1, 250),
    Configuration("gru 64, names", "gru", "names", 64, 16, 1, 32, 1, 250),
    Configuration("lstm 64, names", "lstm", "names", 64, 16, 1, 32, 1, 250),
    Configuration("mingru 64, names", "mingru", "names", 64, 16, 1, 32, 1, 250),
    Configuration("a user's UGRNN 64, names", UGRNN, "names", 64, 16, 1, 32, 1, 250),
    Configuration("vanilla 256, molecules", "vanilla", "molecules", 256, 64, 1, 64, 2, 20),
    Configuration("gru 256, molecules", "gru", "molecules", 256, 64, 1, 64, 2, 20),
    Configuration("lstm 256, molecules", "lstm", "molecules", 256, 64, 1, 64, 2, 20),
    Configuration("lstm 3 x 128, molecules", "lstm", "molecules", 128, 32, 3, 64, 2, 20),
    Configuration("lstm 3 x 768, molecules", "lstm", "molecules", 768, 32, 3, 64, 2, 2),
]


def measure(setting: Setting) -> Section:
    """Return the section: time per part of a step, and shares of the matrix-product rate."""
    corpora = {"names": names(), "molecules": molecules(setting.pick(20_000, 500))}
    chosen = setting.pick(CONFIGURATIONS, CONFIGURATIONS[:1])
    blocks = [
        table(HEAD, [profile(setting, given, corpora[given.corpus]) for given in chosen]),
        " ".join(RUNS.split()),
        table(HEAD_OF_RUNS, [within_runs(setting, given) for given in chosen if given.corpus == "names"]),
        "**Share of the rate of matrix products**: gru, H = 256, B = 64, T = 40, V = 60, 2 threads, whole training "
        "steps (6 operations a weight and place) against products of one time step and of a whole batch, in the same "
        "rounds. That of the LSTM of 3 x 768 is in the table `molecule_training`.",
        table(COMPARED, shares(setting)),
    ]
    return Section("step_profile", "a profile of a training step", CAPTION, blocks)


def shares(setting: Setting) -> list[list[str]]:
    """Return a wide GRU's share of the rate of products alone."""
    hidden, n_steps = setting.pick(256, 8), setting.pick(40, 4)
    model = make_model(N_SYMBOLS, "gru", hidden, 64)
    over = cycle(random_batches(N_SYMBOLS, 64, n_steps, 8))
    take, gflop_of = make_id_learner(model, N_SYMBOLS).take, training_gflop(model)
    ours = steps(take, over, setting.pick(12, 1), gflop_of=gflop_of, ours=True)
    with setting.threads(2):
        alone = {
            f"products {m} x {hidden} x {3 * hidden}": products(m, hidden, 3 * hidden, setting)
            for m in (64, 64 * n_steps)
        }
        rounds = interleave({f"gru {hidden}": ours} | alone, setting.rounds)
    rows = [Compare(name, "gflop").row(rounds) for name in alone]
    return rows + [Compare(f"gru {hidden}", "gflop", name).row(rounds) for name in alone]


def profile(setting: Setting, given: Configuration, corpus: Corpus) -> list[str]:
    """Return the row of a configuration, from the round with the median time."""
    encodings_s, (data, *_) = zip(*(timed_encoding(corpus) for _ in range(setting.rounds)), strict=True)
    encoding_s = statistics.median(encodings_s)
    model = make_model(data.vocabulary.size, given.cell, given.hidden, given.embedding, given.layers)
    learner, batches = make_learner(model, data), endless_batches(data.encoded["train"], given.batch)
    n_steps = setting.pick(given.n_steps, 2)
    with setting.threads(given.threads), keeping_memory():
        learner.take(next(batches))
        profiles = [time_parts(learner, batches, n_steps) for _ in range(setting.rounds + 1)][1:]
    middle = sorted(profiles, key=lambda parts: parts["all"])[len(profiles) // 2]
    parts = [middle[part] / middle["all"] for part in PARTS]
    step_s = middle["all"] / n_steps
    reading_s = encoding_s + 1000 * middle["batches"] / n_steps
    alone = reading_s / (encoding_s + 1000 * step_s)
    shown = [f"{step_s * 1000:.2f}", *(f"{part:.1%}" for part in [*parts, 1 - sum(parts)]), f"{encoding_s * 1000:.0f}"]
    goal, met = verdict(alone, None if given.corpus == "names" else GOAL, most=True)
    return [given.title, str(given.threads), *shown, f"{alone:.1%}", goal, met]


def within_runs(setting: Setting, given: Configuration) -> list[str]:
    """Return the row of whole runs of 1,000 steps on the corpus ``names``."""
    options = {
        "corpus": given.corpus,
        "cell": given.cell if isinstance(given.cell, str) else CUSTOM_CELL,
        "dropout": 0.0,
    }
    sizes = {"hidden": given.hidden, "embedding": given.embedding, "batch_size": given.batch, "layers": given.layers}
    n_steps, n_runs = setting.pick(1000, 2), setting.pick(setting.rounds, 1)
    runs = [measure_run(n_steps, engine="fused", **options, **sizes) for _ in range(n_runs)]

    def middle(what: str) -> float:
        return statistics.median(getattr(run, what) for run in runs)

    ms = [f"{1000 * middle(what):.0f}" for what in ("reading_s", "encoding_s", "batches_s")]
    shares = [middle("share_with_reading"), middle("share")]
    goal, met = verdict(shares[-1], GOAL, most=True)
    return [given.title, *ms, f"{middle('training_s'):.2f}", *(f"{share:.1%}" for share in shares), goal, met]


def timed_encoding(corpus: Corpus) -> tuple[float, EncodedCorpus]:
    """Return the seconds of encoding a corpus, and the result."""
    gc.collect()
    started = time.perf_counter()
    data = encode(corpus)
    return time.perf_counter() - started, data


def time_parts(learner: Learner, batches: Iterator[Batch], n_steps: int) -> Counter[str]:
    """Return the seconds of each part of ``n_steps`` steps and of "all", timing ``TrainStep.run`` part by part."""
    seconds: Counter[str] = Counter()
    step = learner.train_step
    began = time.perf_counter()
    for _ in range(n_steps):
        lr = learner.begin()
        marks = [time.perf_counter()]
        batch = next(batches)
        marks.append(time.perf_counter())
        step._gradients.clear()
        nats = step.differentiate(batch)
        marks.append(time.perf_counter())
        norm = step._gradients.clip(step._clip_norm)
        step._poisoned.addcmul_(norm + nats, step._zero)
        step.optimizer.step(learner.number, lr, torch.ne(step._poisoned, 0.0, out=step._skip))
        marks.append(time.perf_counter())
        learner.note(StepResult(learner.number, lr, batch, nats, norm))
        seconds.update(dict(zip(PARTS, (end - start for start, end in pairwise(marks)), strict=True)))
    seconds["all"] = time.perf_counter() - began
    return seconds
