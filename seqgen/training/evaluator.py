"""Evaluations during a training run, kept within its time limit."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from seqgen.batches import Encoded, Parts, Stream, derive_seed
from seqgen.config import TrainSettings
from seqgen.evaluation import MIN_WINDOWS, RECORDS_PER_BATCH, bits_per_char, expected_copies, held_out_loss
from seqgen.sampling import Sample
from seqgen.signals import StopFlag
from seqgen.training.events import Report
from seqgen.training.state import TrainState

_SHARE = 0.05  # of a run's time, for the held-out records of one evaluation


class StopRequested(Exception):
    """A signal arrived during an evaluation."""


class _FirstBatchDone(Exception):
    """The first batch has been timed."""


class Evaluator:
    """Evaluates the model of a training run on held-out records, and samples from it.

    With a time limit, an evaluation uses as many held-out records as take 5% of it, and the last evaluation starts
    early enough to end within the limit.

    Args:
        model: evaluated in evaluation mode.
        encoded: the records of "train" and "valid".
        penalty_V: the result of ``seqgen.evaluation.penalty``, on the model's device.
        settings: of the run.
        sample: returns samples of the current model for a seed; calls its second argument before each symbol.
    """

    def __init__(
        self,
        model: nn.Module,
        encoded: Parts,
        penalty_V: Tensor,
        settings: TrainSettings,
        sample: Callable[[int, Callable[[], None]], Sequence[Sample]],
    ) -> None:
        self._model, self._penalty_V, self._settings, self._sample = model, penalty_V, settings, sample
        self._train, self._valid = encoded["train"], encoded["valid"]
        self._duration_s = 0.0

    @property
    def reserved_s(self) -> float:
        """Seconds before the time limit at which the last evaluation has to start."""
        return self._duration_s if self._settings.time_s is not None else 0.0

    def plan(self, state: TrainState, stop: StopFlag) -> None:
        """Time one batch and, unless the run has done so before, choose the number of records of an evaluation.

        Raises:
            StopRequested: a signal arrived meanwhile.
        """
        time_s = self._settings.time_s
        if time_s is None or not len(self._valid):
            return
        batch_s = self._batch_s(stop)
        n_batches = max(1, int(_SHARE * time_s / batch_s))
        if state.eval_records is None:
            state.eval_records = min(self._settings.eval_records, n_batches * RECORDS_PER_BATCH[type(self._valid)])
        n_batches = -(-state.eval_records // RECORDS_PER_BATCH[type(self._valid)])
        self._duration_s = batch_s * (max(MIN_WINDOWS, n_batches) if isinstance(self._valid, Stream) else n_batches)

    def evaluate(self, state: TrainState, lr: float, stop: StopFlag) -> Report:
        """Evaluate the current model, and record the result in the state.

        Args:
            state: of the run; unchanged when a signal cuts the evaluation short, so that it can be repeated.
            lr: the learning rate.
            stop: set by a signal.

        Raises:
            Diverged: the held-out loss is not finite.
            StopRequested: a signal arrived meanwhile.
        """
        started = time.monotonic()
        check = _stop_check(stop)
        metrics: dict[str, Any] = {"step": state.step, "lr": lr}
        if state.n_targets:
            metrics["train_loss_nats"] = state.nats / state.n_targets
            metrics["train_bits_per_char"] = bits_per_char(state.nats, state.n_chars, state.n_records)
        loss_nats = copies = None
        if len(self._valid):
            most = self._settings.eval_records if state.eval_records is None else state.eval_records
            held_out = held_out_loss(self._model, self._valid, self._penalty_V, most=most, check=check)
            loss_nats = held_out.loss_nats
            metrics |= {"valid_loss_nats": loss_nats, "valid_bits_per_char": held_out.bits_per_char}
            if most < self._settings.eval_records:
                metrics["valid_symbols"] = held_out.n_targets
        if self._settings.best_by == "copies" and isinstance(self._train, Encoded):
            check()
            copies = metrics["expected_copies"] = expected_copies(self._model, self._train, self._penalty_V)
        check()
        seed = derive_seed("samples", self._settings.seed, state.step)
        samples = self._sample(seed, check) if self._settings.samples else ()
        check()
        state.record_evaluation(loss_nats, copies)
        self._duration_s = time.monotonic() - started
        return Report(metrics, samples)

    def _batch_s(self, stop: StopFlag) -> float:
        """Return the seconds that one batch of held-out records, or one window of a long text, takes."""
        started, n_batches, check = time.monotonic(), 0, _stop_check(stop)

        def check_once() -> None:
            nonlocal n_batches
            check()
            if n_batches:
                raise _FirstBatchDone
            n_batches = 1

        most = RECORDS_PER_BATCH[Encoded] if isinstance(self._valid, Encoded) else self._settings.eval_records
        with contextlib.suppress(_FirstBatchDone):
            held_out_loss(self._model, self._valid, self._penalty_V, most=most, check=check_once)
        return max(time.monotonic() - started, 1e-6)


def _stop_check(stop: StopFlag) -> Callable[[], None]:
    def check() -> None:
        if stop.signal_number:
            raise StopRequested

    return check
