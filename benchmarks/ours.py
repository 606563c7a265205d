"""Our side of every comparison: corpora, models and training steps made of the pieces that a run is made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count, cycle
from typing import Any

import torch
from torch import nn

from seqgen.api.corpora import open_corpus, sort_out_corpus
from seqgen.api.encoded_corpus import EncodedCorpus, learn
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
from timing import Done, OfARun, Work


def names() -> Corpus:
    """The corpus ``names``: 8,841 names of 2 to 15 characters."""
    entry, options = sort_out_corpus("names", default_plugins())
    return open_corpus(entry, entry.options(options))


def molecules(n: int = 10_000) -> Corpus:
    """Random strings of the lengths of the molecules of MOSES (arXiv:1811.12823): mean 36, at most 57.

    The lengths are drawn from a normal distribution around 36 with a deviation of 6, clipped to 15 .. 57; the 30
    symbols evenly. (The corpus ``smiles`` is of other lengths: mean 32, deviation 17, at most 120.)
    """
    draw = random.Random(0)
    symbols = "".join(map(chr, range(ord("A"), ord("A") + 30)))
    lengths = [min(57, max(15, round(draw.gauss(36, 6)))) for _ in range(n)]
    return Corpus("molecules", [Record("".join(draw.choices(symbols, k=length))) for length in lengths])


def encode(corpus: Corpus) -> EncodedCorpus:
    """A corpus counted, its characters learned, split and encoded, as a run does it."""
    return learn(corpus, corpus.name, default_plugins().registry.get("tokenizer", "char"), {}, Splitter())


def train_texts(corpus: Corpus) -> list[str]:
    """The texts of the training part."""
    splitter = Splitter()
    return [record.text for record in corpus if splitter.part(record) == "train"]


def cell_maker(name: str, **options: Any) -> Callable[[int, int], Cell]:
    """What builds a layer of a registered cell from its input size and hidden size."""
    return partial(default_plugins().registry.get("cell", name).build, options)


def make_model(
    n_symbols: int, cell: str | Callable[[int, int], Cell], hidden: int, embedding: int, layers: int = 1, **options: Any
) -> RecurrentModel:
    """The default model with reproducible weights, without dropout.

    Args:
        n_symbols: V.
        cell: a registered cell, or what builds a layer.
        hidden: units of a layer.
        embedding: features of a symbol.
        layers: how many layers.
        options: of the registered cell.
    """
    torch.manual_seed(0)
    make_cell = cell_maker(cell, **options) if isinstance(cell, str) else cell
    return RecurrentModel(n_symbols, make_cell, hidden=hidden, layers=layers, embedding=embedding)


class Learner:
    """Takes training steps as a run takes them: see ``seqgen.training.Trainer``.

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
        """What a run does before it takes a step; gives the rate."""
        self.number += 1
        return self.schedule.lr(self.number, self.schedule.share(self.number, 0.0))

    def take(self, batch: Batch) -> None:
        """Take a step."""
        lr = self.begin()
        self.note(self.train_step.run(self.number, lr, batch, derive_seed("step", 0, self.number)))

    def note(self, taken: StepResult) -> None:
        """Keep a step's loss, and read the kept ones back now and then."""
        self._unread.append(taken)
        if len(self._unread) >= _MAX_UNREAD:
            read_losses(self._unread)
            self._unread.clear()


def learner_of(model: nn.Module, data: EncodedCorpus, **options: Any) -> Learner:
    """A learner of a corpus."""
    return Learner(model, penalty(data.vocabulary), **options)


def learner_of_ids(model: nn.Module, n_symbols: int, **options: Any) -> Learner:
    """A learner of ids that no corpus stands behind; pad and begin are never predicted."""
    penalty_V = torch.zeros(n_symbols)
    penalty_V[:EOS] = -torch.inf
    return Learner(model, penalty_V, **options)


def endless_batches(encoded: Encoded, batch_size: int, engine: str = "fused") -> Iterator[Batch]:
    """The batches of a run, epoch after epoch, made when they are asked for."""
    feed = make_feed(encoded, batch_size=batch_size, window=1, seed=0, pad=partial(choose_padding, engine))
    return map(feed.batch, count())


def random_batches(n_symbols: int, batch_size: int, n_steps: int, n: int) -> list[Batch]:
    """Batches of random symbols that fill every place, so that no padding is computed by anybody."""
    torch.manual_seed(0)
    made = []
    for _ in range(n):
        ids = torch.randint(EOS + 1, n_symbols, (batch_size, n_steps + 1))
        n_targets = batch_size * n_steps
        made.append(Batch(ids[:, :-1], ids[:, 1:], None, n_targets, n_targets, batch_size))
    return made


def step_over(learner: Learner, batches: Sequence[Batch]) -> Callable[[], None]:
    """Takes a step with one batch after another, round and round."""
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
    """Work that is so many training steps; asking for the batches is part of it.

    Args:
        take: takes a step.
        batches: what to learn from.
        n_steps: how many batches.
        batch_size: records of a whole step; the last batch of a window has fewer.
        gflop_of: what the matrix products of a step come to.
        ours: whether they are ours, and are done as in a run.
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

    return OfARun(work, lambda: take(next(batches))) if ours else work


def matrix_weights(modules: Iterable[nn.Module]) -> int:
    """Weights of matrices that a token is multiplied with; an embedding only looks up."""
    return sum(weight.numel() for module in modules for weight in module.parameters() if weight.ndim == 2)
