"""Checks of training: saved, resumed and repeated runs, and a falling loss.

A cell is trained as core trains it, inside the default model.
"""

from __future__ import annotations

import functools
import itertools
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from seqgen.batches import Batch, RecordFeed, derive_seed, encode
from seqgen.checkpoint import Snapshot, pack, unpack
from seqgen.corpus import Record, Splitter
from seqgen.evaluation import penalty
from seqgen.model import RecurrentModel
from seqgen.testing.check import Subject
from seqgen.testing.layers import LeakyCell
from seqgen.tokenizers import CharTokenizer, Vocabulary
from seqgen.training.train_step import TrainStep, read_losses

_RECORDS = ("anna", "ben", "carla", "dora", "emil", "fred", "gina", "hans", "ida", "jan")
_HIDDEN, _EMBEDDING = 16, 6
_STEPS = 3  # steps before and after the checkpoint
_LEARN_STEPS = 50  # steps within which the loss must fall
_LR = 0.01
_MAX_RATIO = 0.9  # fraction of the first loss below which it counts as fallen
_seeds = itertools.count(1)


@functools.cache
def _data() -> tuple[Vocabulary, RecordFeed]:
    vocabulary = Vocabulary(CharTokenizer.fit(_RECORDS))
    encoded = encode(map(Record, _RECORDS), vocabulary, Splitter((1, 0, 0), 0))
    return vocabulary, RecordFeed(encoded["train"], batch_size=5, seed=0)


class _TrainingRun:
    """A short training run of a spec's model.

    Args:
        subject: what to check.
        seed: of the weights.
    """

    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self._vocabulary, self._feed = _data()
        random.seed(next(_seeds))  # only torch's random numbers are the same in two runs with a seed
        torch.manual_seed(seed)
        size = self._vocabulary.size
        if subject.spec.kind == "cell":
            self.model: nn.Module = RecurrentModel(size, subject.build, hidden=_HIDDEN, embedding=_EMBEDDING)
        else:
            self.model = subject.build(size, *([LeakyCell] if subject.spec.uses_cell else []))
        self._penalty_V = penalty(self._vocabulary)
        self._train_step = TrainStep(self.model, self._penalty_V, weight_decay=0.01, clip_norm=1.0, precision="float32")
        self.done = 0

    def train(self, steps: int) -> list[float]:
        """Take some steps; return the loss before each, nats per symbol."""
        taken = []
        for step in range(self.done, self.done + steps):
            seed = derive_seed("step", 0, step)
            taken.append(self._train_step.run(step + 1, _LR, self.batch(step), seed))
        self.done += steps
        nats = read_losses(taken)
        return [loss / step.batch.n_targets for loss, step in zip(nats, taken, strict=True)]

    def batch(self, step: int = 0) -> Batch:
        """Return the batch of a step."""
        return self._feed.batch(step)

    def tensors(self) -> dict[str, Tensor]:
        """Return copies of everything that a checkpoint must hold, by name."""
        found = {**self.model.state_dict(), **{f"optimizer {k}": v for k, v in self._train_step.state().items()}}
        for name, tensor in found.items():
            assert isinstance(tensor, Tensor), f"state_dict holds {name}, a {type(tensor).__name__} and not a tensor"
        return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}

    def save(self) -> dict[str, bytes]:
        """Return the files of a checkpoint."""
        tensors = self.tensors()
        train = {name: tensors.pop(f"optimizer {name}") for name in self._train_step.state()}
        return pack(Snapshot(tensors, train, {"step": self.done}), {})

    def load(self, files: dict[str, bytes]) -> None:
        """Continue from the files of a checkpoint."""
        snapshot = unpack(files, Path("the checkpoint"))
        try:
            self.model.load_state_dict(snapshot.model)
        except RuntimeError as error:
            raise AssertionError(
                "it cannot load what it saved (each parameter and buffer needs memory of its own, and the same "
                f"shape in every object made with the same options): {error}"
            ) from error
        assert snapshot.train is not None
        self._train_step.load(snapshot.train)
        self.done = snapshot.state["step"]

    @torch.no_grad()
    def logits(self) -> Tensor:
        """Return the logits of the first batch in evaluation mode."""
        self.model.eval()
        ids_BT = self.batch().ids_BT
        found: Tensor = self.model(ids_BT, self.model.initial_state(len(ids_BT)))[0]  # type: ignore[operator]
        self.model.train()
        return found


@dataclass
class _Reference:
    """An uninterrupted run, with everything that the checks compare with.

    Attributes:
        training: the run.
        first: its tensors before the first step.
        files: its checkpoint half way.
        logits: its logits half way.
        half: its tensors half way.
        whole: its tensors at the end.
        losses: the losses of its steps.
    """

    training: _TrainingRun
    first: dict[str, Tensor]
    files: dict[str, bytes]
    logits: Tensor
    half: dict[str, Tensor]
    whole: dict[str, Tensor]
    losses: list[float]


def _reference(subject: Subject) -> _Reference:
    def train() -> _Reference:
        training = _TrainingRun(subject)
        first, losses = training.tensors(), training.train(_STEPS)
        files, logits, half = training.save(), training.logits(), training.tensors()
        losses += training.train(_STEPS)
        return _Reference(training, first, files, logits, half, training.tensors(), losses)

    return subject.once("reference", train)


def save_load(subject: Subject) -> None:
    """Check that a model loaded from a checkpoint gives bit-identical outputs."""
    reference, resumed = _reference(subject), _TrainingRun(subject, seed=1)
    resumed.load(reference.files)
    assert torch.equal(reference.logits, resumed.logits()), (
        "loaded again it gives different outputs: something it depends on is not in state_dict (use register_buffer)"
    )


def resume(subject: Subject) -> None:
    """Check that a run resumed from a checkpoint is bit-identical to one that never stopped."""
    reference, resumed = _reference(subject), _TrainingRun(subject, seed=1)
    resumed.load(reference.files)
    assert resumed.train(_STEPS) == reference.losses[_STEPS:], (
        "resumed it has different losses: something is not in state_dict"
    )
    _assert_equal(reference.whole, resumed.tensors(), "resumed it has different weights")


def determinism(subject: Subject) -> None:
    """Check that two runs with the same seed are bit-identical."""
    reference, other = _reference(subject), _TrainingRun(subject)
    alike = "two instances with the same seed differ: use torch's random numbers only"
    _assert_equal(reference.first, other.tensors(), alike)
    assert other.train(_STEPS) == reference.losses[:_STEPS], "two runs with the same seed have different losses"
    _assert_equal(reference.half, other.tensors(), "two runs with the same seed differ")


def _assert_equal(tensors: dict[str, Tensor], others: dict[str, Tensor], complaint: str) -> None:
    assert tensors.keys() == others.keys(), f"{complaint}, in which tensors there are"
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), f"{complaint}, in {name}"


def learns(subject: Subject) -> None:
    """Check that the loss on ten records falls within fifty steps."""
    reference = _reference(subject)
    losses = subject.once("losses", lambda: reference.losses + reference.training.train(_LEARN_STEPS - 2 * _STEPS))
    first, last = losses[0], sum(losses[-2:]) / 2
    assert last < _MAX_RATIO * first, f"in {_LEARN_STEPS} steps the loss went from {first:.3f} to {last:.3f} nats"
