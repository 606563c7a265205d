"""Random sampling: the text of a row depends on the seed and the row's number, never on how many are sampled together.

Two things ensure this. Matrix products whose width is a multiple of 32 give every row the same bits at any such width,
so rows are computed in such widths (``row_batch.RowBatch``). And the random numbers of a row are keyed by the seed and
the row (``categorical.Uniforms``).

Dimension letters: W rows sampled together, A active rows, C computed rows, T positions, V vocabulary.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqgen.errors import Diverged
from seqgen.protocols import State
from seqgen.sampling.automata import parse_length
from seqgen.sampling.categorical import Uniforms, identity, sample_ids
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.row_batch import MULTIPLE, ActiveRows, RowBatch, round_up
from seqgen.sampling.steps import DecodingStep
from seqgen.tokenizers import EOS, PAD

_MAX_LOGITS = 2**22
_ROWS_SMALL, _ROWS_LARGE = 4096, 2048  # rows sampled together at most, by the size of the model
_WIDER = 4  # factor on the width for a small model whose state does not grow


class Sample(NamedTuple):
    """One sampled sequence.

    Attributes:
        number: number of its row, from 0.
        text: the sequence.
        cut: whether it reached the maximum length without ending.
    """

    number: int
    text: str
    cut: bool


_sample = functools.partial(tuple.__new__, Sample)
"""``Sample._make`` at a third of its cost."""


def write_ids(ids_TW: npt.NDArray[np.integer[Any]], sampled: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Write the ids of rows into an array, from the numbers of the rows and their ids at each position."""
    for ids_W, (active_A, ids_A) in zip(ids_TW, sampled, strict=True):
        ids_W[active_A.cpu().numpy()] = ids_A.cpu().numpy()


class Sampler(Decoder):
    """A decoder that samples rows independently; see :class:`Decoder` for arguments and errors.

    Raises:
        Diverged (while sampling): no id can be sampled because the logits are not finite or all forbidden.
    """

    span: tuple[int, int | None] = (0, None)
    """The first row of ``rows`` and similar methods, and the one after the last; None: no end."""
    on_tried: Callable[[int], None] | None = None
    """Called with the number of rows that ``rows`` and similar methods have sampled, before each batch."""
    check: Callable[[], None] | None = None
    """Called before each symbol; may raise."""

    @functools.cached_property
    def _width(self) -> int:
        """Rows sampled together: as many as memory allows where the model is small and calls dominate."""
        most = min(max(_MAX_LOGITS // self.vocabulary.size, 256), _ROWS_LARGE if self.is_large else _ROWS_SMALL)
        return round_up(self.settings.batch_size or most)

    @functools.cached_property
    def _widest(self) -> int:
        """Rows sampled together when very many are requested: more rows share more beginnings."""
        if self.is_large or self.settings.batch_size:
            return self._width
        with self.inference():
            if self.steps().state_grows():
                return self._width
        return max(self._width, min(_WIDER * self._width, _MAX_LOGITS // self.vocabulary.size // MULTIPLE * MULTIPLE))

    @functools.cached_property
    def _allows_all(self) -> bool:
        """True if every symbol may be sampled, so that slicing off the ids before EOS replaces masking."""
        return not bool(self.forbidden_V[EOS:].any())

    def as_rejection_sampler(self, seed: int | None = None) -> Sampler:
        """Return a sampler whose rows ignore the constraint, to be checked by ``satisfies``; optionally reseeded."""
        other = copy.copy(self) if seed is None else self.reseeded(seed)
        other.constraint = None if self.constraint is None else self.constraint.as_exact()
        return other

    def reseeded(self, seed: int) -> Self:
        """Return a sampler of the same rows with another seed."""
        other = copy.copy(self)
        other.settings = self.settings.model_copy(update={"seed": seed})
        other.span, other.on_tried = (0, None), None
        return other

    def spanning(
        self,
        span: tuple[int, int | None],
        on_tried: Callable[[int], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> Self:
        """Return a sampler whose rows are those of a range; see ``span``, ``on_tried`` and ``check``."""
        other = copy.copy(self)
        other.span, other.on_tried, other.check = span, on_tried, check
        return other

    def satisfies(self, row: Sample) -> bool:
        """Return whether a row of a rejection sampler satisfies the constraint, if there is one."""
        return self.constraint is None or (not self.is_cut(row) and self.constraint.accepts(row.text))

    def is_cut(self, row: Sample) -> bool:
        """Return whether a row lacks its end."""
        return self.vocabulary.ends and row.cut

    @property
    def lengths(self) -> tuple[int, int | None]:
        """The minimum and maximum number of characters of a row that the settings ask for; None: no maximum."""
        return parse_length(self.settings.length) if self.settings.length else (0, None)

    def rows(self) -> Iterator[Sample]:
        """Yield the rows of ``span``, computed in growing batches on demand."""
        for first, width in self._growing():
            yield from self._chunk(first, width)

    def _growing(self, n_each: int = 1) -> Iterator[tuple[int, int]]:
        """Yield the first row and the number of rows of batches, small ones first.

        Args:
            n_each: how many rows are computed for each.
        """
        start, end = self.span
        width, is_long = MULTIPLE // n_each, end is not None and (end - start) * n_each > self._width
        most = (self._widest if is_long else self._width) // n_each
        while end is None or start < end:
            if self.on_tried is not None:
                self.on_tried(start - self.span[0])
            n_rows = width if end is None else min(width, end - start)
            yield start, n_rows
            start += n_rows
            width = min(2 * width, most)

    def take(self, n: int, check: Callable[[], None] | None = None, *, first: int = 0) -> Iterator[Sample]:
        """Yield ``n`` rows from ``first`` on; ``check`` is called before each symbol and may raise."""
        sampler = self if check is None else self.spanning(self.span, self.on_tried, check)
        width = self._width if n <= self._width else self._widest
        for start in range(first, first + n, width):
            yield from sampler._chunk(start, min(width, first + n - start))

    def _chunk(self, start: int, width: int) -> Iterator[Sample]:
        """Return rows ``start`` to ``start + width - 1``."""
        flat, lengths_W, cut_W = self.sample_flat(start, width)
        texts = self.vocabulary.decode_many(flat, lengths_W)
        return map(_sample, zip(range(start, start + width), texts, cut_W.tolist(), strict=True))

    def sample_flat(
        self, start: int, width: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the symbols of rows ``start`` to ``start + width - 1`` together, their lengths, and which were cut."""
        return self.flatten(self._sample_ids(start, width))

    def _sample_ids(self, start: int, width: int) -> npt.NDArray[np.integer[Any]]:
        """Return the ids of rows ``start`` to ``start + width - 1``, conditions and their ends included, (T, W)."""
        with self.inference():
            return self._written(self._sample_batch(start, width), width)

    def _written(self, rows: RowBatch, width: int) -> npt.NDArray[np.integer[Any]]:
        """Return the ids of all rows of a batch, (T, W)."""
        ids_TW = np.full((rows.n_sampled, width), EOS, dtype=self.vocabulary.dtype)
        write_ids(ids_TW, rows.sampled)
        return ids_TW

    def flatten(
        self, ids_TW: npt.NDArray[np.integer[Any]]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the symbols of rows together, their lengths, and which lack an end.

        Args:
            ids_TW: the ids of each row, conditions included; there is at least one more.
        """
        ids_WT = np.ascontiguousarray(ids_TW[self.n_slots :].T)
        ends_WT = ids_WT == EOS
        lengths_W = ends_WT.argmax(1)
        cut_W = ~ends_WT[np.arange(len(ids_WT)), lengths_W]
        lengths_W[cut_W] = min(self.max_length, ids_WT.shape[1])
        return ids_WT[np.arange(ids_WT.shape[1]) < lengths_W[:, None]].astype(np.int32), lengths_W, cut_W

    def _sample_batch(self, start: int, width: int) -> RowBatch:
        step = self.steps()
        uniforms = Uniforms(self.settings.seed, start, width)
        rows = RowBatch(
            width, self.vocabulary.size, self.device, large_model=self.is_large, keep_history=bool(self.processors)
        )
        state: State | None = step.initial_state(MULTIPLE)
        while state is not None and rows.n_sampled <= self.n_slots + self.max_length:
            if self.check is not None:
                self.check()
            logits_CV, state = step(rows.ids_C, state, rows.n_sampled)
            uniform_W = uniforms.next().to(self.device)
            if rows.n_sampled < len(self.forced):  # conditions and prefix
                ids_A = torch.full_like(rows.active_A, self.forced[rows.n_sampled])
            else:
                ids_A = self.next_ids(step, logits_CV, state, rows, uniform_W)
            state = rows.add(ids_A, state)
        return rows

    def next_ids(
        self, step: DecodingStep, logits_CV: Tensor, state: State, rows: ActiveRows, uniform_W: Tensor
    ) -> Tensor:
        """Return a sampled id for each active row, (A,)."""
        logits_CV = step.mask(logits_CV, state, rows.n_sampled)
        expand: Callable[[Tensor], Tensor] = rows.expand
        first, given = 0, None
        if not (self.processors or self.constraint) and self._allows_all:
            logits_CV, first = logits_CV[:, EOS:], EOS
        elif self.processors:
            expand = identity
            given = rows.expand(logits_CV), rows.history_AT()[:, self.n_slots :]
            logits_CV = self.process(*given)
        elif self.constraint is None:  # a constraint forbids these itself
            logits_CV = logits_CV.masked_fill(self.forbidden_V, -torch.inf)
        ids_A = sample_ids(logits_CV, rows.of_active(uniform_W), expand).add_(first)
        if int(ids_A.max()) == self.vocabulary.size:
            failed_A = ids_A == self.vocabulary.size
            self._check_dead_ends(failed_A & rows.unfinished_A(), rows, given)
            ids_A = ids_A.masked_fill(failed_A, PAD)  # a row that has ended
        return ids_A

    def _check_dead_ends(self, failed_A: Tensor, rows: ActiveRows, given: tuple[Tensor, Tensor] | None) -> None:
        """Raise the error for rows without a possible next id, if there are any; ``given`` is that to ``process``."""
        if not failed_A.any():
            return
        if given is None:
            at = rows.n_sampled - self.n_slots
            raise Diverged(f"cannot sample symbol {at} of a row: the logits of the model are not finite")
        raise self.dead_end(*given, rows.unfinished_A())
