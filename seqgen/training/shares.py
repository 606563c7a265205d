"""Batches of held-out records and rows of samples, each of which one process of a run computes.

The batches go round the processes. Rank 0 commands a few at a time, for about a tenth of a second, and gets their
results in order: a sum has the bits of one process, a signal is answered soon, and a worker that hangs is noticed in
time. One long text is not divided: each of its windows continues the one before.

Dimension letters: B batch, V vocabulary.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from seqgen.batches import Encoded, Stream, derive_seed, evaluation_batches
from seqgen.config import TrainSettings
from seqgen.counting import records_of_ids
from seqgen.errors import WorkerLost
from seqgen.evaluation import total_nats
from seqgen.model import count_parameters, evaluation_mode
from seqgen.sampling import Sample
from seqgen.sampling.row_batch import MULTIPLE
from seqgen.training.gang import Command, Order
from seqgen.training.gradients import piece_bounds
from seqgen.training.observer import log_probs_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.training.gang import Gang

    Rows = npt.NDArray[np.int64]

# A round costs half a millisecond, and more on a busy machine. Work is the number of symbols times that of parameters.
_LEAST_WORK = 1 << 25  # of a round that the others take from rank 0, about two milliseconds
_ROUND_WORK = 1 << 31  # of a process in a round, about a tenth of a second
_LEAST_ROWS = 128  # samples of a process
_SENT_WORK = 256  # of a probability that is sent: so much work that those of a round fit into memory
_MOST_SENT_IDS = 1024  # for each symbol

Check = Callable[[], None]
"""Called before each batch and each symbol; may raise to stop."""
Draw = Callable[[nn.Module, int, int, int, Check], Sequence[Sample]]
"""Returns rows of a model for a seed, from one to the one before another; calls a ``Check`` before each symbol."""


class Shares:
    """The evaluations and samples of one process of a run, and at rank 0 those of all.

    Args:
        model: implements :class:`seqgen.Model`, without the counts that it may be blended with.
        penalty_V: the result of ``seqgen.evaluation.penalty``, on the model's device.
        held_out: the records of "valid".
        settings: of the run.
        sample: samples rows of a model.
        gang: the processes; None: this one computes all.
    """

    def __init__(
        self,
        model: nn.Module,
        penalty_V: Tensor,
        held_out: Encoded | Stream,
        settings: TrainSettings,
        sample: Draw,
        gang: Gang | None,
    ) -> None:
        self._model, self._penalty_V, self._settings, self._sample, self._gang = (
            model, penalty_V, settings, sample, gang,
        )  # fmt: skip
        self._rank, self._size = (0, 1) if gang is None else (gang.rank, gang.size)
        self._encoded: dict[Order, Encoded] = {}
        if isinstance(held_out, Encoded):
            self._encoded = {Order.LOSSES: held_out, Order.LOG_PROBS: held_out}
        self._rounds: dict[Order, tuple[int, list[list[Rows]]]] = {}
        self._n_parameters, self._n_ids = count_parameters(model), int((penalty_V == 0).sum())

    # -- at rank 0

    def losses(self, most: int, check: Check) -> Iterator[float] | None:
        """Return the losses of the batches of ``held_out_loss``, nats; None where they are not divided.

        Args:
            most: limit on the records.
            check: called before each batch of rank 0.

        Raises:
            WorkerLost (in iterating): a process has ended, or does not answer in time.
        """
        found = self._results(Order.LOSSES, most, check)
        return None if found is None else (nats.item() for nats in found)

    def log_probs(self, most: int, check: Check) -> Iterator[Tensor] | None:
        """Return the result of ``log_probs_of`` for each batch; None also where there are very many ids.

        Arguments and errors are those of ``losses``.
        """
        return self._results(Order.LOG_PROBS, most, check)

    def training_log_probs(self, records: Encoded, most: int, check: Check) -> Iterator[Tensor] | None:
        """Return the result of ``log_probs_of`` for each batch of training records, which other processes are sent."""
        if self._gang is not None and Order.TRAINING_LOG_PROBS not in self._encoded:
            self._encoded[Order.TRAINING_LOG_PROBS] = records
            self._gang.command(Command(Order.RECORDS))
            arrays = {"flat": records.flat, "lengths": records.lengths_N}
            self._gang.share({name: torch.from_numpy(np.array(ids, np.int64)) for name, ids in arrays.items()})
        return self._results(Order.TRAINING_LOG_PROBS, most, check)

    def samples(self, predictor: nn.Module, step: int, check: Check) -> Sequence[Sample]:
        """Return the samples of a step, in the order of their rows.

        Args:
            predictor: the model, or mixed with counts or what records repeat, which the other processes do not have.
            step: optimizer steps done.
            check: called before each symbol.

        Raises:
            WorkerLost: a process has ended, or does not answer in time.
        """
        if self._gang is None or predictor is not self._model or self._settings.samples < _LEAST_ROWS * self._size:
            return self._rows(predictor, step, 0, self._settings.samples, check)
        found = self._together(Command(Order.SAMPLES, step), lambda: self._own_rows(step, check))
        return [Sample(*row) for part in found for row in json.loads(part["rows"].numpy().tobytes())]

    def _results(self, order: Order, most: int, check: Check) -> Iterator[Tensor] | None:
        too_many = order != Order.LOSSES and self._n_ids > _MOST_SENT_IDS
        if self._gang is None or order not in self._encoded or too_many:
            return None
        return self._in_order(order, min(most, len(self._encoded[order])), check)

    def _in_order(self, order: Order, most: int, check: Check) -> Iterator[Tensor]:
        for number, batches in enumerate(self._plan(order, most)):
            if self._work(order, batches) - self._work(order, batches[:: self._size]) < _LEAST_WORK:
                yield from self._compute(order, batches, check).values()
                continue
            own = partial(self._compute, order, batches[:: self._size], check)
            found = self._together(Command(order, number, most), own)
            for at in range(len(batches)):
                yield found[at % self._size][str(at // self._size)]

    def _together(self, command: Command, compute: Callable[[], dict[str, Tensor]]) -> list[dict[str, Tensor]]:
        """Return what the processes compute for a command, in the order of their ranks."""
        assert self._gang is not None
        self._gang.command(command)
        try:
            own = compute()
        except Exception:
            with contextlib.suppress(WorkerLost):
                self._gang.collect({})  # the others send theirs before they take another command
            raise
        return self._gang.collect(own)

    # -- at the other ranks

    def follow(self, command: Command) -> None:
        """Compute what rank 0 commands, and send it there.

        Raises:
            WorkerLost: rank 0 has ended.
        """
        assert self._gang is not None
        if command.order == Order.RECORDS:
            arrays = self._gang.share()
            self._encoded[Order.TRAINING_LOG_PROBS] = records_of_ids(arrays["flat"].numpy(), arrays["lengths"].numpy())
        elif command.order == Order.SAMPLES:
            self._gang.collect(self._own_rows(command.number, _go_on))
        else:
            batches = self._plan(command.order, int(command.value))[command.number]
            self._gang.collect(self._compute(command.order, batches[self._rank :: self._size], _go_on))

    # -- at every rank

    def _plan(self, order: Order, most: int) -> list[list[Rows]]:
        """Return the batches of each round."""
        if order not in self._rounds or self._rounds[order][0] != most:
            rounds: list[list[Rows]] = [[]]
            work = 0
            for rows in evaluation_batches(self._encoded[order].lengths_N, most):
                if work >= _ROUND_WORK * self._size and len(rounds[-1]) % self._size == 0:
                    rounds.append([])
                    work = 0
                rounds[-1].append(rows)
                n_sent = 0 if order == Order.LOSSES else int(self._encoded[order].lengths_N[rows].sum()) * self._n_ids
                work += max(self._work(order, [rows]), n_sent * _SENT_WORK)
            self._rounds[order] = most, rounds
        return self._rounds[order][1]

    def _work(self, order: Order, batches: Sequence[Rows]) -> int:
        return self._n_parameters * sum(int(self._encoded[order].lengths_N[rows].sum()) for rows in batches)

    def _compute(self, order: Order, batches: Sequence[Rows], check: Check) -> dict[str, Tensor]:
        """Return the results of batches, by their numbers among these."""
        results = list[Tensor]()
        for rows in batches:
            check()
            batch = self._encoded[order].take(rows).to(self._penalty_V.device)
            with evaluation_mode(self._model):
                if order == Order.LOSSES:
                    results.append(total_nats(self._model, batch, self._penalty_V).cpu())
                else:
                    results.append(log_probs_of(self._model, batch, self._penalty_V)[0].cpu())
        return {str(number): result for number, result in enumerate(results)}

    def _own_rows(self, step: int, check: Check) -> dict[str, Tensor]:
        """Return the samples of this process, as JSON."""
        n_rows = self._settings.samples
        blocks = piece_bounds(-(-n_rows // MULTIPLE), self._size)  # the rows that are computed together
        first, last = (min(block * MULTIPLE, n_rows) for block in blocks[self._rank : self._rank + 2])
        rows = json.dumps(self._rows(self._model, step, first, last, check))
        return {"rows": torch.frombuffer(bytearray(rows.encode()), dtype=torch.uint8)}

    def _rows(self, predictor: nn.Module, step: int, first: int, last: int, check: Check) -> Sequence[Sample]:
        if first == last:
            return ()
        return self._sample(predictor, derive_seed("samples", self._settings.seed, step), first, last, check)


def _go_on() -> None:
    """Stop nothing: rank 0 handles signals."""
