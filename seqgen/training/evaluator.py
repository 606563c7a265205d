"""Evaluations during a training run, kept within its time limit."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqgen.batches import Encoded, Parts, Stream, evaluation_batches
from seqgen.checkpoint import RefitSettings
from seqgen.config import TrainSettings
from seqgen.counting import (
    INITIAL_GATES,
    N_REPEAT_FEATURES,
    NEUTRAL,
    Blend,
    Gates,
    Mixture,
    Repeats,
    count_likely,
    cross_fit,
    fit_factor,
    fit_repeats,
    is_first,
    record_keys,
    records_of_ids,
)
from seqgen.evaluation import (
    MIN_WINDOWS,
    RECORDS_PER_BATCH,
    HeldOut,
    bits_per_char,
    expected_copies,
    held_out_loss,
)
from seqgen.signals import StopFlag
from seqgen.training.events import Report
from seqgen.training.observer import Measured, Observer, may_repeat, observe_repeats
from seqgen.training.shares import Shares
from seqgen.training.state import TrainState

if TYPE_CHECKING:
    import numpy.typing as npt

_KNOWN_IDS = 20_000  # ids of the training records whose probabilities are measured
_LEAST_GAIN = 0.002  # share of the held-out loss for which a network is mixed with something
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
        shares: what each process computes of an evaluation.
        blend: the model with the counts that it may be blended with; None: none.
        refit: the run whose gates a mixture has where nothing is held out; None: it has the gate before any fit.
        look_back: the symbols in which what a record repeats is looked for.
    """

    def __init__(
        self,
        model: nn.Module,
        encoded: Parts,
        penalty_V: Tensor,
        settings: TrainSettings,
        shares: Shares,
        blend: Blend | None = None,
        refit: RefitSettings | None = None,
        look_back: int = 1,
    ) -> None:
        self._model, self._penalty_V, self._settings, self._shares = model, penalty_V, settings, shares
        self._refit, self._look_back = refit, look_back
        self._train, self._valid, self._blend = encoded["train"], encoded["valid"], blend
        self._observer: Observer | None = None
        if blend is not None and len(self._valid):
            self._observer = Observer(blend, self._valid, penalty_V, shares.log_probs)
        self._known: Observer | None = None  # training records, whose probability a blend may lower
        if self._observer is not None and blend is not None and blend.records is not None and len(blend.records):
            assert isinstance(self._train, Encoded) and isinstance(self._valid, Encoded)
            self._known = Observer(blend, blend.records, penalty_V, partial(shares.training_log_probs, blend.records))
            self._n_known = max(1, _KNOWN_IDS * len(blend.records) // len(blend.records.flat))
            training, first_N = np.unique(record_keys(self._train), return_index=True)
            n_likely = count_likely(np.sort(self._train.lengths_N[first_N]), blend.graph.n_ids)
            # Where a run continues with another corpus, its counts are those of the first one.
            self._n_counted = len(training) * len(blend.records) / max(n_likely, 1)
            own_N = record_keys(self._valid)
            lowered = np.asarray(blend.records.flat, dtype=self._valid.flat.dtype)  # keys depend on the type of ids
            self._is_lowered_N = np.isin(own_N, record_keys(records_of_ids(lowered, blend.records.lengths_N)))
            self._is_new_N = ~(np.isin(own_N, training) | self._is_lowered_N)  # those of a file may be training records
            self._is_first_N = is_first(self._valid) & self._is_new_N
        self._duration_s = 0.0

    @cached_property
    def _may_repeat(self) -> bool:
        """True if what records repeat is measured."""
        return self._settings.repeats == "on" or (self._settings.repeats == "auto" and may_repeat(self._valid))

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
        mixture = Mixture(self._known_gate() if self._settings.blend == "ngram" else None)
        if self._refit is not None:
            mixture = Mixture(self._refit.gate, self._refit.kept_share, self._refit.repeats)
        if len(self._valid):
            most = self._settings.eval_records if state.eval_records is None else state.eval_records
            held_out, mixture = self._held_out(most, check, metrics)
            state.require_finite(held_out.loss_nats)
            if self._may_repeat:
                held_out, mixture = self._with_repeats(held_out, mixture, most, check, metrics)
            loss_nats = held_out.loss_nats
            metrics |= {"valid_loss_nats": loss_nats, "valid_bits_per_char": held_out.bits_per_char}
            if most < self._settings.eval_records:
                metrics["valid_symbols"] = held_out.n_targets
        predictor = self._predictor(mixture)
        if self._settings.best_by == "copies" and isinstance(self._train, Encoded):
            check()
            if self._blend is not None and mixture.kept_share is not None:
                self._blend.set_discount(mixture.kept_share)
            copies = metrics["expected_copies"] = expected_copies(predictor, self._train, self._penalty_V)
        check()
        samples = self._shares.samples(predictor, state.step, check)
        check()
        state.record_evaluation(loss_nats, copies)
        state.gate, state.kept_share, state.repeats = mixture.gate, mixture.kept_share, mixture.repeats
        self._duration_s = time.monotonic() - started
        return Report(metrics, samples)

    def _known_gate(self) -> list[float]:
        """Return the weights of a gate that no symbol was needed for."""
        return INITIAL_GATES[self._settings.exponents or "fitted"]

    def _predictor(self, mixture: Mixture) -> nn.Module:
        """Return the model that predicts; training records keep their probability until they are discounted."""
        predictor = self._model
        if mixture.gate is not None and self._blend is not None:
            self._blend.set_gate(mixture.gate)
            predictor = self._blend
        if mixture.repeats is None:
            return predictor
        return Repeats(predictor, self._penalty_V, self._look_back, mixture.repeats)

    def _repeating(self, mixture: Mixture) -> Repeats:
        """Return the model with what records repeat, before its gate is fitted."""
        return Repeats(self._predictor(mixture), self._penalty_V, self._look_back, np.zeros(N_REPEAT_FEATURES))

    def _held_out(self, most: int, check: Callable[[], None], metrics: dict[str, Any]) -> tuple[HeldOut, Mixture]:
        """Return the held-out loss, and the network with or without counts, whichever is better."""
        if self._observer is None:
            known = self._shares.losses(most, check)
            found = held_out_loss(self._model, self._valid, self._penalty_V, most=most, check=check, known=known)
            return found, Mixture()
        gates = Gates.same(self._known_gate())
        sample = self._observer.sample(most, check)
        new_N = None if self._known is None else self._is_new_N[self._order(most)]
        if new_N is not None:
            sample = sample.take(torch.from_numpy(new_N[sample.record_N]))
        # Nothing is fitted where no record is new, or the network has diverged.
        if len(sample.record_N) and bool(torch.isfinite(sample.network_NV).all()):
            gates = cross_fit(sample, self._settings.exponents or "fitted", self._observer.word_V)
        measured, alone = self._observer.measure(most, gates, check)
        if not math.isfinite(alone.loss_nats):
            return alone.scaled(math.nan), Mixture()
        metrics["valid_network_bits_per_char"] = alone.bits_per_char
        counts = -float(measured.ngram_N.sum()) / alone.n_targets / max(alone.loss_nats, 1e-9)
        metrics["valid_counts_bits_per_char"] = alone.bits_per_char * counts
        kept_share, taken = None, 0.0
        nats = -float(measured.mixed_N.sum())
        if self._known is not None:
            kept_share, taken = self._discount(measured, gates, most, check)
            n_lowered = int(self._is_lowered_N[self._order(most)].sum())
            nats += alone.n_records * math.log1p(-taken) - n_lowered * math.log(kept_share or 1.0)
        blended_nats, alone_nats = nats, alone.loss_nats * alone.n_targets
        if new_N is not None and not new_N.all():  # training records do not decide
            is_new_N = new_N[measured.record_N]
            blended_nats = -float(measured.mixed_N[is_new_N].sum()) + int(new_N.sum()) * math.log1p(-taken)
            alone_nats = -float(measured.network_N[is_new_N].sum())
        if self._settings.blend == "auto" and blended_nats >= (1 - _LEAST_GAIN) * alone_nats:
            return alone, Mixture()
        blended = alone.scaled(nats / alone.n_targets / max(alone.loss_nats, 1e-9))
        return blended, Mixture(gates.weights_GEF[0].ravel().tolist(), kept_share)

    def _with_repeats(
        self, held_out: HeldOut, mixture: Mixture, most: int, check: Callable[[], None], metrics: dict[str, Any]
    ) -> tuple[HeldOut, Mixture]:
        """Return the held-out loss with what records repeat, and the mixture with it; both as given if it is no better.

        Some of the held-out records stand for all.
        """
        metrics.setdefault("valid_network_bits_per_char", held_out.bits_per_char)
        metrics["valid_without_repeats_bits_per_char"] = held_out.bits_per_char
        observed = observe_repeats(self._repeating(mixture), self._valid, most, check)
        weights_G, share = fit_repeats(observed)
        needed = 1 - _LEAST_GAIN if self._settings.repeats == "auto" else math.inf
        if weights_G is None or share >= needed:
            return held_out, mixture
        return held_out.scaled(share), replace(mixture, repeats=weights_G.tolist())

    def _discount(
        self, measured: Measured, gates: Gates, most: int, check: Callable[[], None]
    ) -> tuple[float | None, float]:
        """Return the share of their probability that training records keep, and the probability taken from all."""
        assert self._known is not None
        first_N = self._is_first_N[self._order(most)]
        if not first_N.any():
            return None, 0.0
        held_out = float(np.exp(np.bincount(measured.record_N, measured.mixed_N))[first_N].sum()) / int(first_N.sum())
        training, _ = self._known.measure(self._n_known, Gates.same(gates.weights_GEF[0]), check)
        mean = float(np.exp(np.bincount(training.record_N, training.mixed_N)).mean())
        mass = min(mean * len(self._known), 1.0)  # some records stand for all, and may be the likelier ones
        kept_share = fit_factor(mass, held_out * self._n_counted)
        return kept_share, 0.0 if kept_share is None else (1 - kept_share) * mass

    def _order(self, most: int) -> npt.NDArray[np.int64]:
        """Return the held-out records in the order in which an evaluation has them."""
        assert isinstance(self._valid, Encoded)
        return np.concatenate(list(evaluation_batches(self._valid.lengths_N, most)))

    def _batch_s(self, stop: StopFlag) -> float:
        """Return the seconds that one batch of held-out records, or one window of a long text, takes."""
        observer, stop_check = self._observer, _stop_check(stop)
        most = RECORDS_PER_BATCH[Encoded] if isinstance(self._valid, Encoded) else self._settings.eval_records

        def once(measure: Callable[[Callable[[], None]], object]) -> None:
            first = iter((True,))

            def check() -> None:
                stop_check()
                if not next(first, False):
                    raise _FirstBatchDone

            with contextlib.suppress(_FirstBatchDone):
                measure(check)

        def held_out(check: Callable[[], None]) -> object:
            if observer is not None:
                return observer.measure(most, Gates.same(NEUTRAL), check)
            return held_out_loss(self._model, self._valid, self._penalty_V, most=most, check=check)

        if observer is not None:
            once(held_out)  # contexts are looked up in the first evaluation only
        repeating, started = self._may_repeat, time.monotonic()
        once(held_out)
        if repeating:
            once(lambda check: observe_repeats(self._repeating(Mixture()), self._valid, most, check))
        return max(time.monotonic() - started, 1e-6)


def _stop_check(stop: StopFlag) -> Callable[[], None]:
    def check() -> None:
        if stop.signal_number:
            raise StopRequested

    return check
