"""The training loop."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from seqgen.batches import Parts, Rewriter
from seqgen.checkpoint import EngineSettings, RefitSettings, RunFolder, Snapshot
from seqgen.config import TrainSettings
from seqgen.counting import Blend
from seqgen.errors import CheckpointError, Diverged
from seqgen.evaluation import bits_per_char, penalty
from seqgen.signals import StopFlag
from seqgen.tokenizers import Vocabulary
from seqgen.training.evaluator import Evaluator, StopRequested
from seqgen.training.events import Ended, Evaluating, Event, Progress, Saved
from seqgen.training.gang import Command, Order
from seqgen.training.schedule import Schedule
from seqgen.training.shares import Draw, Shares
from seqgen.training.state import TrainState
from seqgen.training.steps import Steps, start_workers
from seqgen.training.train_step import StepResult, read_losses

if TYPE_CHECKING:
    from seqgen.training.gang import Gang

_PROGRESS_EVERY_S = 0.2
_MAX_UNREAD = 32  # steps whose losses are read back from the device together
_LAST_LOSSES = 5  # reported with a loss that is not finite


@dataclass
class Trainer:
    """A training run of a model in its run folder; iterate over ``events`` to train.

    Attributes:
        model: implements :class:`seqgen.Model`, on its device.
        encoded: the records of "train", "valid" and "test".
        vocabulary: their symbols.
        settings: how to train.
        folder: the folder of logs and checkpoints.
        sample: samples rows of a model.
        engine: how to compute.
        rewriter: augments records each epoch, or None.
        blend: the model with the counts that it may be blended with, or None.
        refit: the run of which this is the refit, or None.
        look_back: the symbols in which what a record repeats is looked for.
        gang: the processes that share batches and evaluations, of which this is the first; None: there are no others.
    """

    model: nn.Module
    encoded: Parts
    vocabulary: Vocabulary
    settings: TrainSettings
    folder: RunFolder
    sample: Draw
    engine: EngineSettings
    rewriter: Rewriter | None = None
    blend: Blend | None = None
    refit: RefitSettings | None = None
    look_back: int = 1
    gang: Gang | None = None

    def __post_init__(self) -> None:
        """Prepare everything that stays the same over the steps."""
        self.state = TrainState()
        self._steps = Steps(
            self.model, self.encoded["train"], self.vocabulary, self.settings, self.engine, self.rewriter, self.gang
        )
        self._feed, self._train_step = self._steps.feed, self._steps.train_step
        stop_step = None if self.refit is None else self.refit.steps
        self.schedule = Schedule(self.settings, self._feed.steps_per_epoch, stop_step)
        self._saved_step, self._in_step = -1, False
        self._metrics, self._samples = self.folder.metrics, self.folder.samples
        self._logs = {log.path.name: log for log in (self._metrics, self._samples)}
        self._unread: list[StepResult] = []
        self._last_nats, self._last_batch = 0.0, (1, 1, 1)
        self._last_losses: deque[float] = deque(maxlen=_LAST_LOSSES)
        penalty_V = penalty(self.vocabulary, self.model)
        shares = Shares(self.model, penalty_V, self.encoded["valid"], self.settings, self.sample, self.gang)
        self._evaluator = Evaluator(
            self.model, self.encoded, penalty_V, self.settings, shares, self.blend, self.refit, self.look_back
        )

    # -- checkpoints

    def restore(self, snapshot: Snapshot | None) -> list[str]:
        """Restore the state of a checkpoint, or of the start, with its logs; return a line for each damaged log.

        Raises:
            CheckpointError: the checkpoint does not fit this model.
            WorkerLost: another process has ended.
        """
        train = None if snapshot is None else snapshot.train
        if snapshot is not None:
            assert train is not None  # an export is not resumed
            self.state = TrainState.read(snapshot.state)
            self._saved_step = self.state.step
            try:
                self.model.load_state_dict(snapshot.model)
                self._train_step.load(train)
            except (RuntimeError, KeyError) as error:
                line = " ".join(str(error).split())
                raise CheckpointError(
                    f"cannot load the checkpoint of step {self.state.step}: it does not fit the model: {line}"
                ) from None
        if self.gang is not None:
            start_workers(self.gang, self.model, self._train_step.optimizer.state() if train is None else train)
        sizes, sums = self.state.log_bytes, {} if snapshot is None else snapshot.logs
        damaged = (log.truncate(sizes.get(name, 0), sums.get(name)) for name, log in self._logs.items())
        return [line for line in damaged if line]

    def save(self) -> Saved:
        """Publish a checkpoint of the current state.

        Raises:
            CheckpointError: other processes carry a part of the state, and a step has failed.
            Diverged: a weight is not finite; older checkpoints stay as they are.
            DiskError: the disk refused to write.
        """
        self._read_losses()
        model = {name: _detached(tensor) for name, tensor in self.model.state_dict().items()}
        for name, tensor in model.items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise Diverged(
                    f"cannot save step {self.state.step}: the weight {name!r} is not finite; "
                    "resume from an older checkpoint"
                )
        train = self._train_state()
        self.state.log_bytes = {name: log.sync() for name, log in self._logs.items()}
        self.state.elapsed_s = self._elapsed_s()
        checksums = {name: log.checksum() for name, log in self._logs.items()}
        path = self.folder.save(Snapshot(model, train, self.state.model_dump(), checksums))
        self._saved_at, self._saved_step = time.monotonic(), self.state.step
        return Saved(self.state.step, path)

    def _train_state(self) -> dict[str, torch.Tensor]:
        if self.gang is not None and self._train_step.carries:
            if self._in_step:
                raise CheckpointError("the other processes have a part of its state, and are in the middle of a step")
            self.gang.command(Command(Order.COLLECT))
        return {name: _detached(tensor) for name, tensor in self._train_step.state().items()}

    def save_if_new(self) -> None:
        """Publish a checkpoint unless there is one of this step.

        Raises:
            Diverged, DiskError: as ``save``.
        """
        if self._saved_step != self.state.step:
            self.save()

    # -- the loop

    def events(self, stop: StopFlag) -> Iterator[Event]:
        """Train to the end, yielding events; a checkpoint is published before the last one.

        Args:
            stop: when a signal sets it, the run is saved and ends.

        Raises:
            Diverged: a loss or gradient is not finite; the step is not taken, the checkpoints stay as they are.
            DiskError: the disk refused to write.
        """
        self._started_at = self._saved_at = self._shown_at = time.monotonic()
        self._elapsed_before_s, self._tokens_done = self.state.elapsed_s, 0
        with contextlib.suppress(StopRequested):
            if not self.state.ended:
                self._evaluator.plan(self.state, stop)
            while not self.state.ended and not stop.signal_number:
                if len(self._unread) >= _MAX_UNREAD:
                    self._read_losses()
                due = self.state.step % self.schedule.eval_every() == 0
                reason = self.schedule.ended(self.state.step, self._elapsed_s(), self._evaluator.reserved_s)
                if (due or reason) and self.state.evaluated_step != self.state.step:
                    yield from self._evaluate(reason, stop)
                    continue
                yield from self._between_steps()
                lr, self._in_step = self._lr(), True
                if self.gang is not None:
                    self.gang.command(Command(Order.STEP, self.state.step, lr))
                result = self._train_step.run(self.state.step + 1, lr, *self._steps.inputs(self.state.step))
                self._in_step = False
                self._unread.append(result)
                self.state.step += 1
                self._tokens_done += result.batch.n_targets
        if self.state.ended:
            yield Ended(self.state.ended, self.state.step)
            return
        if self._saved_step != self.state.step:
            yield self.save()
        yield Ended("interrupted", self.state.step, stop.signal_number)

    def _evaluate(self, reason: str, stop: StopFlag) -> Iterator[Event]:
        yield Evaluating(self.state.step, self.schedule.progress(self.state.step, self._elapsed_s()))
        self._read_losses()
        report = self._evaluator.evaluate(self.state, self._lr(), stop)
        self._metrics.append(report.metrics)
        step = report.metrics["step"]
        self._samples.append(*({"step": step, "text": row.text, "cut": row.cut} for row in report.samples))
        over = self.schedule.ended(self.state.step, self._elapsed_s(), self._evaluator.reserved_s)  # meanwhile
        self.state.ended = reason or self._patience_spent() or over
        saved = self.save()  # before it is reported: a callback may fail
        yield report
        yield saved

    def _read_losses(self) -> None:
        """Read the losses of the last steps back from the device, and add them up."""
        unread, self._unread = self._unread, []
        try:
            read = read_losses(unread, self._last_losses) if unread else []
        except Diverged as error:
            assert error.step is not None
            raise Diverged(str(error), error.step, self._feed.batch_indices(error.step - 1)) from None
        for result, nats in zip(unread, read, strict=True):
            batch, state = result.batch, self.state
            state.nats += nats
            state.n_targets += batch.n_targets
            state.n_chars += batch.n_chars
            state.n_records += batch.n_records
            self._last_nats, self._last_batch = nats, (batch.n_targets, batch.n_chars, batch.n_records)

    def _between_steps(self) -> Iterator[Event]:
        now = time.monotonic()
        if now - self._shown_at >= _PROGRESS_EVERY_S and self._tokens_done:
            self._shown_at = now
            yield self.progress()
        if now - self._saved_at >= self.settings.save_every_s and self._saved_step != self.state.step:
            yield self.save()

    def progress(self) -> Progress:
        """Return the progress of the run."""
        self._read_losses()
        elapsed_s = self._elapsed_s()
        here_s = max(elapsed_s - self._elapsed_before_s, 1e-9)
        share = self.schedule.progress(self.state.step, elapsed_s)
        n_targets, n_chars, n_records = self._last_batch
        return Progress(
            step=self.state.step,
            share=share,
            loss_nats=self._last_nats / n_targets,
            bits_per_char=bits_per_char(self._last_nats, n_chars, n_records),
            tokens_per_s=self._tokens_done / here_s,
            n_targets=self._tokens_done,
            elapsed_s=elapsed_s,
            left_s=elapsed_s * (1 - share) / share if share else math.inf,
        )

    def _patience_spent(self) -> str:
        return "patience" if 0 < self.settings.patience <= self.state.since_best else ""

    def _elapsed_s(self) -> float:
        return self._elapsed_before_s + time.monotonic() - self._started_at

    def _lr(self) -> float:
        share = self.schedule.share(self.state.step, self._elapsed_s(), self._evaluator.reserved_s)
        return self.schedule.lr(self.state.step, share)


def _detached(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().clone().contiguous()
