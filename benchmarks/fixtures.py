"""seqgen's side of every comparison: corpora, models and training steps built from the parts of a run."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count, cycle
from typing import Any

import torch
from torch import nn

from seqgen.api.corpora import open_corpus, sort_out_corpus
from seqgen.api.encoded_corpus import CorpusReading, EncodedCorpus
from seqgen.batches import Batch, Encoded, derive_seed, make_feed
from seqgen.cells import Cell, choose_padding, use_engine
from seqgen.config import TrainSettings
from seqgen.corpus import Corpus, Record, Splitter
from seqgen.evaluation import penalty
from seqgen.model import RecurrentModel, device_of
from seqgen.plugins.selection import default_plugins
from seqgen.tokenizers import EOS
from seqgen.training.schedule import Schedule
from seqgen.training.train_step import StepResult, TrainStep, read_losses
from seqgen.training.trainer import _MAX_UNREAD
from timing import Done, WithRunMemory, Work


def names() -> Corpus:
    """Return the corpus ``names``: 8,841 names of 2 to 15 characters."""
    entry, options = sort_out_corpus("names", default_plugins())
    return open_corpus(entry, entry.options(options))


def molecules(n: int = 10_000) -> Corpus:
    """Return random strings with the lengths of the molecules of MOSES (arXiv:1811.12823): mean 36, at most 57.

    The lengths are normal with mean 36 and deviation 6, clipped to 15 .. 57; the 30 symbols are uniform. (The corpus
    ``smiles`` has other lengths: mean 32, deviation 17, at most 120.)
    """
    rng = random.Random(0)
    symbols = "".join(map(chr, range(ord("A"), ord("A") + 30)))
    lengths = [min(57, max(15, round(rng.gauss(36, 6)))) for _ in range(n)]
    return Corpus("molecules", [Record("".join(rng.choices(symbols, k=length))) for length in lengths])


def encode(corpus: Corpus) -> EncodedCorpus:
    """Count, tokenize, split and encode a corpus, as a run does."""
    tokenizer = default_plugins().registry.get("tokenizer", "char")
    return CorpusReading(corpus, corpus.name).learn(tokenizer, {}, Splitter())


def train_texts(corpus: Corpus) -> list[str]:
    """Return the texts of the training part."""
    splitter = Splitter()
    return [record.text for record in corpus if splitter.part(record) == "train"]


def cell_factory(name: str, **options: Any) -> Callable[[int, int], Cell]:
    """Return a factory of layers of a registered cell, called with (input size, hidden size)."""
    return partial(default_plugins().registry.get("cell", name).build, options)


def make_model(
    n_symbols: int, cell: str | Callable[[int, int], Cell], hidden: int, embedding: int, layers: int = 1, **options: Any
) -> RecurrentModel:
    """Build the default model with reproducible weights and without dropout.

    Args:
        n_symbols: V.
        cell: a registered cell, or a factory of layers.
        hidden: units per layer.
        embedding: embedding size.
        layers: number of layers.
        options: options of the registered cell.
    """
    torch.manual_seed(0)
    make_cell = cell_factory(cell, **options) if isinstance(cell, str) else cell
    return RecurrentModel(n_symbols, make_cell, hidden=hidden, layers=layers, embedding=embedding)


class Learner:
    """Training steps as in a run; see ``seqgen.training.Trainer``.

    Args:
        model: to train.
        penalty_V: what ``seqgen.evaluation.penalty`` gives.
        engine: how steps run over time.
        lr: the rate, without rise or fall.
        weight_decay: of AdamW.
    """

    def __init__(
        self,
        model: nn.Module,
        penalty_V: torch.Tensor,
        *,
        engine: str = "fused",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        use_engine(model, engine)
        self.model, self.penalty_V, self.number, self._unread = (
            model,
            penalty_V.to(device_of(model)),
            0,
            list[StepResult](),
        )
        self.train_step = TrainStep(
            model, self.penalty_V, weight_decay=weight_decay, clip_norm=0.0, precision="float32"
        )
        settings = TrainSettings(steps=10**9, lr=lr, warmup_steps=0, decay="none", weight_decay=weight_decay)
        self.schedule = Schedule(settings, 1)

    def begin(self) -> float:
        """Advance the step number and return the learning rate."""
        self.number += 1
        return self.schedule.lr(self.number, self.schedule.share(self.number, 0.0))

    def take(self, batch: Batch) -> None:
        """Run a training step."""
        lr = self.begin()
        self.note(self.train_step.run(self.number, lr, batch, derive_seed("step", 0, self.number)))

    def note(self, taken: StepResult) -> None:
        """Keep a step's loss, and read the kept ones back now and then."""
        self._unread.append(taken)
        if len(self._unread) >= _MAX_UNREAD:
            read_losses(self._unread)
            self._unread.clear()


def make_learner(model: nn.Module, data: EncodedCorpus, **options: Any) -> Learner:
    """Build a learner for a corpus."""
    return Learner(model, penalty(data.vocabulary), **options)


def make_id_learner(model: nn.Module, n_symbols: int, **options: Any) -> Learner:
    """Build a learner for random ids without a corpus; padding and the start symbol are never predicted."""
    penalty_V = torch.zeros(n_symbols)
    penalty_V[:EOS] = -torch.inf
    return Learner(model, penalty_V, **options)


def endless_batches(encoded: Encoded, batch_size: int, engine: str = "fused") -> Iterator[Batch]:
    """Yield the batches of a run, epoch after epoch, made on demand."""
    feed = make_feed(encoded, batch_size=batch_size, window=1, seed=0, pad=partial(choose_padding, engine))
    return map(feed.batch, count())


def random_batches(n_symbols: int, batch_size: int, n_steps: int, n: int) -> list[Batch]:
    """Return batches of random symbols without any padding."""
    torch.manual_seed(0)
    made = []
    for _ in range(n):
        ids = torch.randint(EOS + 1, n_symbols, (batch_size, n_steps + 1))
        n_targets = batch_size * n_steps
        made.append(Batch(ids[:, :-1], ids[:, 1:], None, n_targets, n_targets, batch_size))
    return made


def cycle_steps(learner: Learner, batches: Sequence[Batch]) -> Callable[[], None]:
    """Return a function that runs a step on the next batch, cycling over the batches."""
    over = cycle(batches)
    return lambda: learner.take(next(over))


def steps(
    take: Callable[[Batch], object],
    batches: Iterator[Batch],
    n_steps: int,
    batch_size: int = 1,
    gflop_of: Callable[[Batch], float] = lambda batch: 0.0,
    *,
    ours: bool = False,
) -> Work:
    """Return work of ``n_steps`` training steps, including the making of their batches.

    Args:
        take: runs a step on a batch.
        batches: the batches.
        n_steps: number of batches.
        batch_size: records per full step; the last batch of a window has fewer.
        gflop_of: GFLOP of a step's matrix products.
        ours: True for seqgen's steps, which run with the allocator settings of a run.
    """

    def work() -> Done:
        n_records, n_tokens, gflop = 0, 0, 0.0
        for _ in range(n_steps):
            batch = next(batches)
            take(batch)
            n_records += batch.n_records
            n_tokens += batch.n_targets
            gflop += gflop_of(batch)
        return {"steps": n_records / batch_size, "tokens": n_tokens, "gflop": gflop}

    return WithRunMemory(work, lambda: take(next(batches))) if ours else work


def matrix_weights(modules: Iterable[nn.Module]) -> int:
    """Return the number of weights in matrices that take part in products (not embeddings)."""
    return sum(weight.numel() for module in modules for weight in module.parameters() if weight.ndim == 2)
