"""The evaluations of a training, kept within the time that it has."""

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

_SHARE = 0.05  # of the time of a run, for the held-out records of one evaluation


class StopAsked(Exception):
    """A signal came during an evaluation."""


class _Enough(Exception):
    """The first batch has been timed."""


class Evaluator:
    """Evaluates the model of a training on held-out records, and draws samples from it.

    Where the run has a time limit, an evaluation looks at as many held-out records as take a twentieth of it, and the
    last one is begun early enough to end with it.

    Args:
        model: put in evaluation mode meanwhile.
        encoded: the records of "train" and "valid".
        penalty_V: what ``seqgen.evaluation.penalty`` gives, on the model's device.
        settings: of the run.
        draw: gives samples of the model as it is now, for a seed; calls what it is given at each symbol.
    """

    def __init__(
        self,
        model: nn.Module,
        encoded: Parts,
        penalty_V: Tensor,
        settings: TrainSettings,
        draw: Callable[[int, Callable[[], None]], Sequence[Sample]],
    ) -> None:
        self._model, self._penalty_V, self._settings, self._draw = model, penalty_V, settings, draw
        self._train, self._valid = encoded["train"], encoded["valid"]
        self._takes_s = 0.0

    @property
    def reserved_s(self) -> float:
        """Seconds before the time limit at which the last evaluation has to begin."""
        return self._takes_s if self._settings.time_s is not None else 0.0

    def plan(self, state: TrainState, stop: StopFlag) -> None:
        """Time a batch and, unless the run has done so before, choose how many records an evaluation looks at.

        Raises:
            StopAsked: a signal came meanwhile.
        """
        time_s = self._settings.time_s
        if time_s is None or not len(self._valid):
            return
        batch_s = self._batch_s(stop)
        n_batches = max(1, int(_SHARE * time_s / batch_s))
        if state.eval_records is None:
            state.eval_records = min(self._settings.eval_records, n_batches * RECORDS_PER_BATCH[type(self._valid)])
        n_batches = -(-state.eval_records // RECORDS_PER_BATCH[type(self._valid)])
        self._takes_s = batch_s * (max(MIN_WINDOWS, n_batches) if isinstance(self._valid, Stream) else n_batches)

    def evaluate(self, state: TrainState, lr: float, stop: StopFlag) -> Report:
        """Evaluate the model as it is after a step, and note in the state what it is worth.

        Args:
            state: of the training; left as it is when a signal cuts the evaluation short, so that it can be done again.
            lr: the learning rate.
            stop: set by a signal.

        Raises:
            Diverged: the held-out loss is not finite.
            StopAsked: a signal came meanwhile.
        """
        began = time.monotonic()
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
        samples = self._draw(seed, check) if self._settings.samples else ()
        check()
        state.judged(loss_nats, copies)
        self._takes_s = time.monotonic() - began
        return Report(metrics, samples)

    def _batch_s(self, stop: StopFlag) -> float:
        """Seconds that a batch of held-out records takes, or a window of a long text."""
        began, n_batches, check = time.monotonic(), 0, _stop_check(stop)

        def once() -> None:
            nonlocal n_batches
            check()
            if n_batches:
                raise _Enough
            n_batches = 1

        most = RECORDS_PER_BATCH[Encoded] if isinstance(self._valid, Encoded) else self._settings.eval_records
        with contextlib.suppress(_Enough):
            held_out_loss(self._model, self._valid, self._penalty_V, most=most, check=once)
        return max(time.monotonic() - began, 1e-6)


def _stop_check(stop: StopFlag) -> Callable[[], None]:
    def check() -> None:
        if stop.signal_number:
            raise StopAsked

    return check
