"""The optimizer steps of a run, which its process and those that share its batches take alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from seqgen.batches import Batch, Encoded, Feed, Rewriter, Stream, derive_seed, make_feed
from seqgen.cells import choose_padding
from seqgen.checkpoint import EngineSettings
from seqgen.config import TrainSettings
from seqgen.evaluation import penalty
from seqgen.model import device_of
from seqgen.tokenizers import Vocabulary
from seqgen.training.gang import Order
from seqgen.training.train_step import TrainStep

if TYPE_CHECKING:
    from seqgen.training.gang import Gang
    from seqgen.training.shares import Shares


class Steps:
    """The optimizer steps of a run, which its process and its workers take alike.

    Args:
        model: implements :class:`seqgen.Model`, on its device.
        train: the training part.
        vocabulary: its symbols.
        settings: how to train.
        engine: how to compute.
        rewriter: augments records each epoch, or None.
        gang: the processes that share the pieces of each batch, or None.

    Attributes:
        feed: the batch of each step.
        train_step: the optimizer.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Encoded | Stream,
        vocabulary: Vocabulary,
        settings: TrainSettings,
        engine: EngineSettings,
        rewriter: Rewriter | None = None,
        gang: Gang | None = None,
    ) -> None:
        pad = partial(choose_padding, engine.name)
        self.feed: Feed = make_feed(
            train,
            batch_size=settings.batch_size,
            window=settings.window,
            seed=settings.seed,
            pad=pad,
            rewriter=rewriter,
        )
        self.train_step = TrainStep(
            model,
            penalty(vocabulary, model),
            weight_decay=settings.weight_decay,
            clip_norm=settings.clip_norm,
            precision=engine.precision,
            carries=isinstance(train, Stream),
            pieces=settings.pieces,
            pad=pad,
            gang=gang,
        )
        self._seed, self._device = settings.seed, device_of(model) if settings.pieces == 1 else torch.device("cpu")

    def inputs(self, step: int) -> tuple[Batch, int]:
        """Return the batch and the seed of a step, counted from 0, for ``TrainStep.run``."""
        batch = self.feed.batch(step).to(self._device)  # one that is cut into pieces moves piece by piece
        return batch, derive_seed("step", self._seed, step)


def start_workers(gang: Gang, model: nn.Module, train: Mapping[str, Tensor]) -> None:
    """Give the other processes the state to start from.

    Args:
        gang: the processes, of which this is the first.
        model: its weights are sent.
        train: the state of the optimizer, as ``TrainStep.state`` returns it.

    Raises:
        WorkerLost: another process has ended.
    """
    for tensors in (model.state_dict(), train):
        gang.share({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()})


def follow(gang: Gang, model: nn.Module, steps: Steps, shares: Shares) -> None:
    """Do what the first process commands, until it ends the run.

    Args:
        gang: the processes, of which this is another.
        model: gets the weights of the first.
        steps: takes the steps.
        shares: evaluates and samples.

    Raises:
        WorkerLost: another process has ended.
    """
    model.load_state_dict(gang.share())
    steps.train_step.load(gang.share())
    while (command := gang.receive()).order != Order.END:
        if command.order == Order.STEP:
            steps.train_step.run(command.number + 1, command.value, *steps.inputs(command.number))
        elif command.order == Order.COLLECT:
            steps.train_step.collect()
        else:
            shares.follow(command)
