"""What cells and models promise of training: saved, resumed, repeated, and that something is learned.

A cell is trained as core does it, within the default model.
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

_LINES = ("anna", "ben", "carla", "dora", "emil", "fred", "gina", "hans", "ida", "jan")
_HIDDEN, _EMBEDDING = 16, 6
_HALF = 3  # steps before and after a stop
_LEARNING = 50  # steps in which the loss has to fall
_LR = 0.01
_FALLEN = 0.9  # share of the first loss below which it has fallen
_others = itertools.count(1)


@functools.cache
def _data() -> tuple[Vocabulary, RecordFeed]:
    vocabulary = Vocabulary(CharTokenizer.fit(_LINES))
    encoded = encode(map(Record, _LINES), vocabulary, Splitter((1, 0, 0), 0))
    return vocabulary, RecordFeed(encoded["train"], batch_size=5, seed=0)


class _Training:
    """A model of a spec, being trained.

    Args:
        subject: what is checked.
        seed: of the weights.
    """

    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self._vocabulary, self._feed = _data()
        random.seed(next(_others))  # only torch's are the same in two trainings of a seed
        torch.manual_seed(seed)
        size = self._vocabulary.size
        if subject.spec.kind == "cell":
            self.model: nn.Module = RecurrentModel(size, subject.build, hidden=_HIDDEN, embedding=_EMBEDDING)
        else:
            self.model = subject.build(size, *([LeakyCell] if subject.spec.uses_cell else []))
        self._penalty_V = penalty(self._vocabulary)
        self._train_step = TrainStep(self.model, self._penalty_V, weight_decay=0.01, clip_norm=1.0, precision="float32")
        self.done = 0

    def go(self, steps: int) -> list[float]:
        """Take some steps; gives the loss before each, nats per symbol."""
        taken = []
        for step in range(self.done, self.done + steps):
            seed = derive_seed("step", 0, step)
            taken.append(self._train_step.run(step + 1, _LR, self.batch(step), seed))
        self.done += steps
        nats = read_losses(taken)
        return [loss / step.batch.n_targets for loss, step in zip(nats, taken, strict=True)]

    def batch(self, step: int = 0) -> Batch:
        """What is learned from in a step."""
        return self._feed.batch(step)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that must survive, by name, copied as core does before it saves."""
        found = {**self.model.state_dict(), **{f"optimizer {k}": v for k, v in self._train_step.state().items()}}
        for name, tensor in found.items():
            assert isinstance(tensor, Tensor), f"state_dict holds {name}, a {type(tensor).__name__} and not a tensor"
        return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}

    def save(self) -> dict[str, bytes]:
        """The files of a checkpoint."""
        tensors = self.tensors()
        train = {name: tensors.pop(f"optimizer {name}") for name in self._train_step.state()}
        return pack(Snapshot(tensors, train, {"step": self.done}), {})

    def load(self, files: dict[str, bytes]) -> None:
        """Go on from the files of a checkpoint."""
        snapshot = unpack(files, Path("the checkpoint"))
        try:
            self.model.load_state_dict(snapshot.model)
        except RuntimeError as error:
            raise AssertionError(
                "it does not take back what it saved (each parameter and buffer needs memory of its own, and the same "
                f"shape in every object made with the same options): {error}"
            ) from error
        self._train_step.load(snapshot.train)
        self.done = snapshot.state["step"]

    @torch.no_grad()
    def logits(self) -> Tensor:
        """What it predicts now, in evaluation mode."""
        self.model.eval()
        ids_BT = self.batch().ids_BT
        found: Tensor = self.model(ids_BT, self.model.initial_state(len(ids_BT)))[0]  # type: ignore[operator]
        self.model.train()
        return found


@dataclass
class _Straight:
    """A training that was never stopped, as far as all checks need it.

    Attributes:
        training: where it is.
        first: its tensors before the first step.
        files: its checkpoint half way.
        logits: what it predicted then.
        half: its tensors then.
        whole: its tensors twice as far.
        losses: of its steps.
    """

    training: _Training
    first: dict[str, Tensor]
    files: dict[str, bytes]
    logits: Tensor
    half: dict[str, Tensor]
    whole: dict[str, Tensor]
    losses: list[float]


def _straight(subject: Subject) -> _Straight:
    def train() -> _Straight:
        training = _Training(subject)
        first, losses = training.tensors(), training.go(_HALF)
        files, logits, half = training.save(), training.logits(), training.tensors()
        losses += training.go(_HALF)
        return _Straight(training, first, files, logits, half, training.tensors(), losses)

    return subject.once("straight", train)


def save_load(subject: Subject) -> None:
    """A model made anew from saved tensors gives the same to the bit."""
    straight, again = _straight(subject), _Training(subject, seed=1)
    again.load(straight.files)
    assert torch.equal(straight.logits, again.logits()), (
        "loaded anew it gives other outputs: what it depends on is not in state_dict (use register_buffer)"
    )


def resume(subject: Subject) -> None:
    """Training that is stopped, saved and gone on with elsewhere gives the same to the bit as one that was not."""
    straight, again = _straight(subject), _Training(subject, seed=1)
    again.load(straight.files)
    assert again.go(_HALF) == straight.losses[_HALF:], "resumed it has other losses: something is not in state_dict"
    _assert_equal(straight.whole, again.tensors(), "resumed it learns something else")


def determinism(subject: Subject) -> None:
    """Made and trained twice with the same seed, it is the same to the bit."""
    straight, other = _straight(subject), _Training(subject)
    alike = "two that are made with the same seed differ: draw from torch's random numbers only"
    _assert_equal(straight.first, other.tensors(), alike)
    assert other.go(_HALF) == straight.losses[:_HALF], "two trainings with the same seed have other losses"
    _assert_equal(straight.half, other.tensors(), "two trainings with the same seed differ")


def _assert_equal(tensors: dict[str, Tensor], others: dict[str, Tensor], complaint: str) -> None:
    assert tensors.keys() == others.keys(), f"{complaint}, in which tensors there are"
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), f"{complaint}, in {name}"


def learns(subject: Subject) -> None:
    """The loss on ten lines falls within fifty steps."""
    straight = _straight(subject)
    losses = subject.once("losses", lambda: straight.losses + straight.training.go(_LEARNING - 2 * _HALF))
    first, last = losses[0], sum(losses[-2:]) / 2
    assert last < _FALLEN * first, f"in {_LEARNING} steps the loss went from {first:.3f} to {last:.3f} nats"
