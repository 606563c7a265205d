"""Rows of several requests that start together and share the calls of the model.

All rows are at the same position at each step, so a state that grows with the position stays one tensor. A row has the
same bits as if its request were sampled alone, for the reasons that ``sampler`` gives.

Dimension letters: A active rows, C computed rows, P active rows of one part, T positions, V vocabulary, W all rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqgen.config import as_whole
from seqgen.errors import UsageError
from seqgen.protocols import State
from seqgen.sampling.categorical import Uniforms
from seqgen.sampling.row_batch import MULTIPLE, RowBatch, RowView
from seqgen.sampling.sampler import Sample, Sampler, write_ids
from seqgen.sampling.steps import DecodingStep
from seqgen.tokenizers import EOS

if TYPE_CHECKING:
    from seqgen.keywords import DecodeKeywords


class SampleBatch:
    """Rows of several requests, sampled in the same calls of one model; see :meth:`seqgen.Run.sample_batch`.

    ``add`` takes the requests, then ``step`` samples a symbol of each row at a time. A row is the same as by
    :meth:`seqgen.Run.sample` with the settings of its request, whatever the other requests are::

        with run.sample_batch() as batch:
            first, second = batch.add(5, prefix="An", seed=1), batch.add(200, temperature=0.8)
            while batch.step():
                pass
            rows = batch.rows(second)
    """

    def __init__(
        self,
        make_sampler: Callable[[Mapping[str, Any]], Sampler],
        computing: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._make_sampler, self._computing = make_sampler, computing
        self._parts: list[_Part] = []
        self._step: DecodingStep | None = None
        self._started: _Started | None = None

    def __enter__(self) -> Self:
        """Return the batch."""
        return self

    def __exit__(self, *error: object) -> None:
        """Drop all requests."""
        self.clear()

    def add(self, n: int = 10, **settings: Unpack[DecodeKeywords]) -> int:
        """Add a request before the first step, or after ``clear``; return its number, from 0.

        Args:
            n: number of rows.
            settings: those of :meth:`seqgen.Run.sample`, without constraints, filters and guidance.

        Raises:
            BadOption, UsageError, UnknownSymbol: as by ``sample``; or a constraint, a filter or guidance; or rows have
                started.
        """
        if self._started is not None:
            raise UsageError("rows of a batch start together: add requests before the first step, or after clear()")
        n = as_whole(n, 0, "number of rows")
        self._parts.append(_Part(self._make_sampler(settings), sum(part.width for part in self._parts), n))
        return len(self._parts) - 1

    def step(self) -> bool:
        """Sample the next symbol of every row that has not ended; return whether rows are left.

        Raises:
            Diverged: no symbol can be sampled, because the logits are not finite or a decoding step leaves none.
        """
        if all(part.done for part in self._parts):
            return False
        with self._computing(), self._parts[0].sampler.inference():  # of this thread, and only meanwhile
            if self._step is None:
                self._step = self._parts[0].sampler.steps()
            if self._started is None:
                self._started = _Started(self._parts, self._step)
            return self._started.step() and not all(part.done for part in self._parts)

    def clear(self) -> None:
        """Forget all requests, so that others can be added, from 0; what was prepared of the model is kept."""
        self._parts, self._started = [], None

    def is_done(self, number: int) -> bool:
        """Return whether all rows of a request have ended, or were dropped."""
        return self._parts[number].done

    def drop(self, number: int) -> None:
        """Stop sampling the rows of a request; they are as long as they are, and are not computed any more."""
        self._parts[number].done = True

    def rows(self, number: int) -> list[Sample]:
        """Return the rows of a request as far as they are sampled; ``cut`` is true for one that has not ended."""
        part = self._parts[number]
        ids_TW = part.ids()
        if len(ids_TW) <= part.sampler.n_slots:  # nothing of the text yet
            return [Sample(row, "", True) for row in range(part.width)]
        flat, lengths_W, cut_W = part.sampler.flatten(ids_TW)
        texts = part.sampler.vocabulary.decode_many(flat, lengths_W)
        return [Sample(*row) for row in zip(range(part.width), texts, cut_W.tolist(), strict=True)]


class _Started:
    """The rows of all requests, once the first step is taken."""

    def __init__(self, parts: Sequence[_Part], step: DecodingStep) -> None:
        first, width = parts[0].sampler, sum(part.width for part in parts)
        self._parts = parts
        self._firsts = torch.tensor([part.first for part in parts[1:]], dtype=torch.long, device=first.device)
        keep = any(part.sampler.processors for part in parts)
        self._rows = RowBatch(width, first.vocabulary.size, first.device, large_model=first.is_large, keep_history=keep)
        self._step = step
        self._state: State | None = step.initial_state(MULTIPLE)

    def step(self) -> bool:
        """Sample the next symbol of every row; return whether one has not ended."""
        rows, state = self._rows, self._state
        if state is None:
            return False
        logits_CV, state = self._step(rows.ids_C, state, rows.n_sampled)
        history_AT = rows.history_AT() if any(part.needs_history(rows.n_sampled) for part in self._parts) else None
        bounds = torch.searchsorted(rows.active_A, self._firsts).tolist()
        ids = [
            part.next_ids(self._step, logits_CV, state, rows, history_AT, slice(start, stop))
            for part, start, stop in zip(self._parts, [0, *bounds], [*bounds, len(rows.active_A)], strict=True)
        ]
        self._state = rows.add(torch.cat(ids), state)
        return self._state is not None


class _Part:
    """The rows of one request within a batch.

    Attributes:
        sampler: with its settings.
        first: its first row among all.
        width: the number of its rows.
        done: whether nothing is left to sample.
    """

    def __init__(self, sampler: Sampler, first: int, width: int) -> None:
        self.sampler, self.first, self.width = sampler, first, width
        self._sampled: list[tuple[Tensor, Tensor]] = []  # the rows, and their ids, at positions that are not in _ids_TW
        self._ids_TW = np.empty((0, width), dtype=sampler.vocabulary.dtype)
        self._n_written = 0
        self.done = width == 0
        self._uniforms = Uniforms(sampler.settings.seed, 0, max(width, 1))
        self._ended_W = torch.zeros(width, dtype=torch.bool, device=sampler.device)

    def ids(self) -> npt.NDArray[np.integer[Any]]:
        """Return the ids of each row so far, (T, width); those after its end have no meaning."""
        n_all = self._n_written + len(self._sampled)
        if n_all > len(self._ids_TW):  # doubled, so that a row can be looked at while it grows
            longer_TW = np.full((2 * n_all, self.width), EOS, dtype=self._ids_TW.dtype)
            longer_TW[: self._n_written] = self._ids_TW[: self._n_written]
            self._ids_TW = longer_TW
        write_ids(self._ids_TW[self._n_written : n_all], self._sampled)
        self._n_written, self._sampled = n_all, []
        return self._ids_TW[:n_all]

    def needs_history(self, n_sampled: int) -> bool:
        """Return whether the next ids depend on all ids before."""
        return bool(self.sampler.processors) and not self.done and n_sampled >= len(self.sampler.forced)

    def next_ids(
        self,
        step: DecodingStep,
        logits_CV: Tensor,
        state: State,
        rows: RowBatch,
        history_AT: Tensor | None,
        where: slice,
    ) -> Tensor:
        """Return the next id of each active row of this part, (P,): the end once nothing is left to sample."""
        at_P = rows.active_A[where] - self.first
        if self.done or not len(at_P):
            return torch.full_like(at_P, EOS)
        uniform_W = self._uniforms.next().to(at_P.device)
        if rows.n_sampled < len(self.sampler.forced):  # conditions and prefix
            ids_P = torch.full_like(at_P, self.sampler.forced[rows.n_sampled])
        else:
            view = RowView(at_P, self._ended_W, rows.n_sampled, None if history_AT is None else history_AT[where])
            ids_P = self.sampler.next_ids(step, rows.expand_range(logits_CV, where), state, view, uniform_W)
        self._sampled.append((at_P, ids_P))
        self._ended_W[at_P] |= ids_P == EOS
        if bool(self._ended_W.all()) or rows.n_sampled >= self.sampler.n_slots + self.sampler.max_length:
            self.done = True
        return ids_P
