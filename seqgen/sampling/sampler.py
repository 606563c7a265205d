"""Rows from a model: a row's text depends on the seed and its number only, not on how many are drawn together.

Two things make it so. Widths that are multiples of 32 give every row of a matrix product the same bits whatever the
width, so rows are computed in such widths (``rows.Rows``). And the uniforms of a row are keyed by the seed and the row
(``draw.Uniforms``).

Dimension letters: W rows drawn together, A rows still computed, T positions, V vocabulary.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqgen.errors import Diverged
from seqgen.protocols import State
from seqgen.sampling.automata import parse_length
from seqgen.sampling.categorical import Uniforms, as_it_is, draw
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.rows import MULTIPLE, Rows, round_up
from seqgen.tokenizers import BOS, EOS, PAD

_MAX_LOGITS = 2**22
_FEW_PARAMETERS_ROWS, _ROWS = 4096, 2048  # drawn together at most
_MANY = 4  # times as many where there are few parameters and a row's state does not grow


class Sample(NamedTuple):
    """One drawn sequence.

    Attributes:
        number: its row, from 0.
        text: the sequence.
        cut: whether it reached the longest length without ending by itself.
    """

    number: int
    text: str
    cut: bool


_sample = functools.partial(tuple.__new__, Sample)
"""What ``Sample._make`` does, at a third of the price."""


class Sampler(Decoder):
    """Draws rows; see :class:`Decoder` for what it is made of and what is raised.

    Raises:
        Diverged (while drawing): nothing can be drawn, since the logits are not numbers or all forbidden.
    """

    @functools.cached_property
    def _width(self) -> int:
        """Rows drawn together: many where a step is so small that its calls cost most, as far as memory allows."""
        most = min(max(_MAX_LOGITS // self.vocabulary.size, 256), _ROWS if self.wide else _FEW_PARAMETERS_ROWS)
        return round_up(self.settings.batch_size or most)

    @functools.cached_property
    def _widest(self) -> int:
        """Rows drawn together where very many are wanted: the more there are, the more of them begin alike."""
        if self.wide or self.settings.batch_size:
            return self._width
        with self.resting():
            if self.steps().state_grows():
                return self._width
        return max(self._width, min(_MANY * self._width, _MAX_LOGITS // self.vocabulary.size // MULTIPLE * MULTIPLE))

    @functools.cached_property
    def _is_plain(self) -> bool:
        """Whether every symbol may always follow, so that the ids before them need only be left out."""
        return not (self.processors or self.constraint or bool(self.forbidden_V[EOS:].any()))

    def as_rejection_sampler(self, seed: int | None = None) -> Sampler:
        """Return a sampler that leaves the constraint to ``satisfies``, with another seed if one is given."""
        assert self.constraint is not None
        other = copy.copy(self)
        other.constraint = self.constraint.as_exact()
        if seed is not None:
            other.settings = self.settings.model_copy(update={"seed": seed})
        return other

    def satisfies(self, row: Sample) -> bool:
        """Return whether a row that was drawn freely satisfies the constraint."""
        assert self.constraint is not None
        return not (self.vocabulary.ends and row.cut) and self.constraint.accepts(row.text)

    @property
    def lengths(self) -> tuple[int, int | None]:
        """The least and the most characters that rows are asked to have."""
        return parse_length(self.settings.length) if self.settings.length else (0, None)

    def rows(self, start: int = 0) -> Iterator[Sample]:
        """Rows ``start``, ``start + 1``, ... without end, computed in growing batches as they are asked for."""
        width = MULTIPLE
        while True:
            yield from self._chunk(start, width)
            start += width
            width = min(2 * width, self._width)

    def take(self, n: int, check: Callable[[], None] | None = None) -> Iterator[Sample]:
        """Rows 0 to ``n`` - 1; ``check`` is called before each symbol, and may raise."""
        width = self._width if n <= self._width else self._widest
        for start in range(0, n, width):
            yield from self._chunk(start, min(width, n - start), check)

    def _chunk(self, start: int, wanted: int, check: Callable[[], None] | None = None) -> Iterator[Sample]:
        """Rows ``start`` .. ``start + wanted - 1``."""
        with self.resting():
            rows = self._draw_rows(start, wanted, check)
        ids_TW = np.full((rows.n_drawn, wanted), EOS, dtype=self.vocabulary.dtype)
        for ids_W, (alive_A, ids_A) in zip(ids_TW, rows.drawn, strict=True):
            ids_W[alive_A.cpu().numpy()] = ids_A.cpu().numpy()
        texts, cut = self._read(np.ascontiguousarray(ids_TW[self.n_slots :].T))
        return map(_sample, zip(range(start, start + wanted), texts, cut, strict=True))

    def _read(self, ids_WT: npt.NDArray[np.unsignedinteger[Any]]) -> tuple[list[str], list[bool]]:
        """The texts of rows, and whether each was cut."""
        ends_WT = ids_WT == EOS
        lengths_W = ends_WT.argmax(1)
        cut_W = ~ends_WT[np.arange(len(ends_WT)), lengths_W]
        lengths_W[cut_W] = self.max_length
        flat = ids_WT[np.arange(ids_WT.shape[1]) < lengths_W[:, None]].astype(np.int32)
        return self.vocabulary.decode_many(flat, lengths_W), cut_W.tolist()

    def _draw_rows(self, start: int, width: int, check: Callable[[], None] | None) -> Rows:
        step = self.steps()
        uniforms = Uniforms(self.settings.seed, start, width)
        rows = Rows(width, self.vocabulary.size, BOS, self.device, wide=self.wide, remembers=bool(self.processors))
        state: State | None = step.initial_state(MULTIPLE)
        while state is not None and rows.n_drawn <= self.n_slots + self.max_length:
            if check is not None:
                check()
            logits_CV, state = step(rows.ids_C, state, rows.n_drawn)
            logits_CV = step.mask(logits_CV, state, rows.n_drawn)
            uniform_W = uniforms.next().to(self.device)
            state = rows.add(self._choose(logits_CV, rows, uniform_W), state)
        return rows

    def _choose(self, logits_CV: Tensor, rows: Rows, uniform_W: Tensor) -> Tensor:
        """The next id of each row: forced by conditions and prefix, else drawn."""
        if rows.n_drawn < len(self.forced):
            return torch.full_like(rows.alive_A, self.forced[rows.n_drawn])
        of_rows: Callable[[Tensor], Tensor] = rows.of_rows
        first, given = 0, None
        if self._is_plain:
            logits_CV, first = logits_CV[:, EOS:], EOS
        elif self.processors:
            of_rows = as_it_is
            given = rows.of_rows(logits_CV), rows.history_AT()[:, self.n_slots :]
            logits_CV = self.process(*given)
        elif self.constraint is None:  # which forbids these itself
            logits_CV = logits_CV.masked_fill(self.forbidden_V, -torch.inf)
        uniform_A = uniform_W if len(rows.alive_A) == len(uniform_W) else uniform_W.index_select(0, rows.alive_A)
        ids_A = draw(logits_CV, uniform_A, of_rows).add_(first)
        if int(ids_A.max()) == self.vocabulary.size:
            nothing_A = ids_A == self.vocabulary.size
            if (nothing_A & rows.open_A()).any():
                if given is None:
                    at = rows.n_drawn - self.n_slots
                    raise Diverged(f"cannot draw symbol {at} of a row: the model gives no number")
                raise self.nothing_left(*given, rows.open_A())
            ids_A = ids_A.masked_fill(nothing_A, PAD)  # a row that has ended
        return ids_A
