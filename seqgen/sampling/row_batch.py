"""A batch of rows that are sampled together, with shared computation.

Rows with the same ids so far have the same state, so that state is computed once for all of them: the first letters of
ten thousand names come from a few computed rows. Once most rows differ, each is computed by itself.

Dimension letters: A active rows, C computed rows, T positions, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqgen.protocols import State
from seqgen.states import select_rows
from seqgen.tokenizers import BOS, EOS, PAD

MULTIPLE = 32
_MAX_DISTINCT = 0.6  # share of distinct rows up to which finding the duplicates costs less than it saves
_MAX_TABLE = 16  # possible values per value up to which a table of all of them is faster than sorting
_MAX_KEPT = 7 / 8  # share of unfinished rows up to which dropping the others pays for moving the state
_MAX_KEPT_LARGE = 0.99  # the same where a step costs much more than moving its state


def round_up(n: int) -> int:
    """Return the smallest multiple of 32 that is at least ``n``."""
    return -(-n // MULTIPLE) * MULTIPLE


class RowBatch:
    """Rows that are sampled together; finished rows are dropped, the others are computed in multiples of 32.

    Args:
        width: number of rows.
        n_ids: V.
        device: where they are computed.
        large_model: whether a step costs much more than moving its state.
        keep_history: whether ``history_AT`` will be called.

    Attributes:
        active_A: numbers of the active rows, ascending; unless rows are shared, a few finished ones may be among them.
        ids_C: the last id of each computed row.
        sampled: for each position the active rows and their ids; ids after the end of a row have no meaning.
        replaced: positions before which rows took the past of others, and of which, (W,); see ``replace``.
    """

    def __init__(self, width: int, n_ids: int, device: torch.device, *, large_model: bool, keep_history: bool) -> None:
        self.active_A = torch.arange(width, device=device)
        self.ids_C = torch.full((MULTIPLE,), BOS, device=device)
        self.sampled: list[tuple[Tensor, Tensor]] = []
        self.replaced: list[tuple[int, Tensor]] = []
        self._n_ids = n_ids
        self._max_kept = _MAX_KEPT_LARGE if large_model else _MAX_KEPT
        # The computed row of each active row; None: the first ones, in the same order.
        self._computed_A: Tensor | None = torch.zeros_like(self.active_A)
        self._ended_A = torch.zeros(width, dtype=torch.bool, device=device)
        self._before_AT = torch.zeros(width, 0, dtype=torch.long, device=device) if keep_history else None

    @property
    def n_sampled(self) -> int:
        """Number of positions sampled so far, conditions included."""
        return len(self.sampled)

    def expand(self, computed_C: Tensor) -> Tensor:
        """Return the values of the computed rows for each active row, (C, ...) -> (A, ...)."""
        if self._computed_A is None:
            return computed_C[: len(self.active_A)]
        return computed_C.index_select(0, self._computed_A)

    def expand_range(self, computed_C: Tensor, where: slice) -> Tensor:
        """Return the values of the computed rows for a range of the active rows."""
        if self._computed_A is None:
            return computed_C[where]
        return computed_C.index_select(0, self._computed_A[where])

    def of_active(self, values_W: Tensor) -> Tensor:
        """Return the values of the active rows among those of all rows, (W,) -> (A,)."""
        return values_W if len(self.active_A) == len(values_W) else values_W.index_select(0, self.active_A)

    def history_AT(self) -> Tensor:
        """Return the ids of each active row so far, ``PAD`` after its end."""
        assert self._before_AT is not None
        is_end_AT = self._before_AT == EOS
        return self._before_AT.masked_fill(is_end_AT.cumsum(1) > is_end_AT.long(), PAD)

    def unfinished_A(self) -> Tensor:
        """Return which active rows have not ended, as booleans."""
        return ~self._ended_A

    def replace(self, ancestor_W: Tensor) -> Tensor:
        """Let active rows take the past, state included, of others; ``sampled`` is not rewritten.

        Args:
            ancestor_W: the row whose past each row takes; of a row that has ended itself, else one that has not.

        Returns:
            The positions of these rows among the active ones, (A,).
        """
        self.replaced.append((self.n_sampled, ancestor_W))
        place_W = torch.zeros_like(ancestor_W)
        place_W[self.active_A] = torch.arange(len(self.active_A), device=place_W.device)
        from_A = place_W.index_select(0, ancestor_W.index_select(0, self.active_A))
        self._computed_A = from_A if self._computed_A is None else self._computed_A.index_select(0, from_A)
        if self._before_AT is not None:
            self._before_AT = self._before_AT.index_select(0, from_A)
        return from_A

    def add(self, ids_A: Tensor, state: State) -> State | None:
        """Append the ids of the next position, and drop finished rows.

        Args:
            ids_A: the id of each active row.
            state: state of the computed rows from which they were sampled.

        Returns:
            The state of the rows to compute next; None when every row has ended.
        """
        self.sampled.append((self.active_A, ids_A))
        if self._before_AT is not None:
            self._before_AT = torch.cat((self._before_AT, ids_A[:, None]), 1)
        self._ended_A = self._ended_A | (ids_A == EOS)
        n_unfinished = len(ids_A) - int(self._ended_A.sum())
        if not n_unfinished:
            return None
        shares, from_A = self._computed_A is not None, self._computed_A
        if n_unfinished < len(ids_A) and (shares or round_up(n_unfinished) <= self._max_kept * len(self.ids_C)):
            keep_A = self._drop_finished()
            ids_A = ids_A.index_select(0, keep_A)
            from_A = keep_A if from_A is None else from_A.index_select(0, keep_A)
        if shares:
            assert from_A is not None
            pairs_C, self._computed_A = _distinct(from_A * self._n_ids + ids_A, len(self.ids_C) * self._n_ids)
            if len(pairs_C) <= _MAX_DISTINCT * len(ids_A):
                from_A, ids_A = pairs_C // self._n_ids, pairs_C % self._n_ids
            else:
                self._computed_A = None
        self.ids_C = padded(ids_A)
        return state if from_A is None else select_rows(state, padded(from_A))

    def _drop_finished(self) -> Tensor:
        """Drop the finished rows; return the positions of those that stay."""
        keep_A = self.unfinished_A().nonzero()[:, 0]
        self.active_A, self._ended_A = self.active_A.index_select(0, keep_A), self._ended_A.index_select(0, keep_A)
        if self._before_AT is not None:
            self._before_AT = self._before_AT.index_select(0, keep_A)
        return keep_A


class RowView:
    """Some of the active rows of a batch, each with logits of its own; a step reads it like a ``RowBatch``.

    Args:
        active_A: their numbers.
        ended_W: which of all rows with such numbers have ended.
        n_sampled: as in the batch.
        history_AT: what ``history_AT`` returns; None where it is not called.
    """

    def __init__(self, active_A: Tensor, ended_W: Tensor, n_sampled: int, history_AT: Tensor | None) -> None:
        self.active_A, self.n_sampled = active_A, n_sampled
        self._ended_W, self._history_AT = ended_W, history_AT

    def expand(self, computed_C: Tensor) -> Tensor:
        """Return the argument: every row is computed by itself."""
        return computed_C

    def of_active(self, values_W: Tensor) -> Tensor:
        """Return the values of the active rows among those of all rows, (W,) -> (A,)."""
        return values_W.index_select(0, self.active_A)

    def history_AT(self) -> Tensor:
        """Return the ids of each active row so far."""
        assert self._history_AT is not None
        return self._history_AT

    def unfinished_A(self) -> Tensor:
        """Return which active rows have not ended, as booleans."""
        return ~self._ended_W.index_select(0, self.active_A)


ActiveRows = RowBatch | RowView
"""The rows that a step samples."""


def _distinct(values_A: Tensor, n_values: int) -> tuple[Tensor, Tensor]:
    """Return the distinct values, ascending, and the index of each value among them; all are below ``n_values``."""
    if n_values > _MAX_TABLE * len(values_A):
        values_N, index_A = torch.unique(values_A, return_inverse=True)
        return values_N, index_A
    occurs_N = values_A.new_zeros(n_values, dtype=torch.int32).index_fill_(0, values_A, 1)
    return occurs_N.nonzero()[:, 0], occurs_N.cumsum(0, dtype=torch.int32).index_select(0, values_A) - 1


def padded(values_A: Tensor) -> Tensor:
    """Pad to a multiple of 32 by repeating the first value."""
    missing = round_up(len(values_A)) - len(values_A)
    return torch.cat((values_A, values_A[:1].expand(missing))) if missing else values_A
