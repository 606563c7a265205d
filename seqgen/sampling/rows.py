"""What was drawn of rows that are drawn together, and which of them have to be computed.

Rows that have drawn the same so far have the same state, so it is computed once for all of them: of ten thousand
names the first letters come from a few computed rows. Once most rows differ, each is computed by itself.

Dimension letters: A rows that go on, C rows computed, T positions, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqgen.protocols import State
from seqgen.states import select_rows
from seqgen.tokenizers import EOS, PAD

MULTIPLE = 32
_WORTH_SHARING = 0.6  # of the rows may differ, for finding those that do not to pay
_MAX_COUNTED = 16  # possible values for each that there is, for a table of all of them to be quicker than sorting
_WORTH_DROPPING = 7 / 8  # of the rows may remain, for letting the others go to pay for moving the state
_WORTH_DROPPING_WIDE = 0.99  # the same where a step costs much more than moving its state


def round_up(n: int) -> int:
    """The next multiple of 32."""
    return -(-n // MULTIPLE) * MULTIPLE


class Rows:
    """Rows drawn together; as they end they leave, and what goes on is computed in multiples of 32.

    Args:
        width: how many.
        n_ids: V.
        first_id: what all start from.
        device: where they are computed.
        wide: whether a step costs much: the model is no small one.
        remembers: whether ``history_AT`` is asked for.

    Attributes:
        alive_A: the rows that go on, in their order; unless rows are shared, a few that have ended may be among them.
        ids_C: the last id of each computed row.
        drawn: for each position the rows that went on until there and their ids, of which those after a row's end have
            no meaning.
    """

    def __init__(
        self,
        width: int,
        n_ids: int,
        first_id: int,
        device: torch.device,
        *,
        wide: bool = False,
        remembers: bool = False,
    ) -> None:
        self.alive_A = torch.arange(width, device=device)
        self.ids_C = torch.full((MULTIPLE,), first_id, device=device)
        self.drawn: list[tuple[Tensor, Tensor]] = []
        self._n_ids = n_ids
        self._worth_dropping = _WORTH_DROPPING_WIDE if wide else _WORTH_DROPPING
        # Which computed row each row follows; None: the first ones, in the same order.
        self._computed_A: Tensor | None = torch.zeros_like(self.alive_A)
        self._ended_A = torch.zeros(width, dtype=torch.bool, device=device)
        self._before_AT = torch.zeros(width, 0, dtype=torch.long, device=device) if remembers else None

    @property
    def n_drawn(self) -> int:
        """Positions drawn."""
        return len(self.drawn)

    def of_rows(self, computed_C: Tensor) -> Tensor:
        """What was computed, for each row."""
        if self._computed_A is None:
            return computed_C[: len(self.alive_A)]
        return computed_C.index_select(0, self._computed_A)

    def history_AT(self) -> Tensor:
        """What each row has drawn so far, ``PAD`` after its end."""
        assert self._before_AT is not None
        is_end_AT = self._before_AT == EOS
        return self._before_AT.masked_fill(is_end_AT.cumsum(1) > is_end_AT.long(), PAD)

    def open_A(self) -> Tensor:
        """Which rows have not ended."""
        return ~self._ended_A

    def add(self, ids_A: Tensor, state: State) -> State | None:
        """Note what was drawn at the next position, and let rows go that have ended.

        Args:
            ids_A: the id of each row.
            state: of the computed rows, after which they were drawn.

        Returns:
            The state of the rows to compute next; None when all have ended.
        """
        self.drawn.append((self.alive_A, ids_A))
        if self._before_AT is not None:
            self._before_AT = torch.cat((self._before_AT, ids_A[:, None]), 1)
        self._ended_A = self._ended_A | (ids_A == EOS)
        n_open = len(ids_A) - int(self._ended_A.sum())
        if not n_open:
            return None
        shares, from_A = self._computed_A is not None, self._computed_A
        if n_open < len(ids_A) and (shares or round_up(n_open) <= self._worth_dropping * len(self.ids_C)):
            keep_A = self._leave()
            ids_A = ids_A.index_select(0, keep_A)
            from_A = keep_A if from_A is None else from_A.index_select(0, keep_A)
        if shares:
            assert from_A is not None
            pairs_C, self._computed_A = _distinct(from_A * self._n_ids + ids_A, len(self.ids_C) * self._n_ids)
            if len(pairs_C) <= _WORTH_SHARING * len(ids_A):
                from_A, ids_A = pairs_C // self._n_ids, pairs_C % self._n_ids
            else:
                self._computed_A = None
        self.ids_C = _fill(ids_A)
        return state if from_A is None else select_rows(state, _fill(from_A))

    def _leave(self) -> Tensor:
        """Let the rows go that have ended; which ones go on."""
        keep_A = self.open_A().nonzero()[:, 0]
        self.alive_A, self._ended_A = self.alive_A.index_select(0, keep_A), self._ended_A.index_select(0, keep_A)
        if self._before_AT is not None:
            self._before_AT = self._before_AT.index_select(0, keep_A)
        return keep_A


def _distinct(values_A: Tensor, n_values: int) -> tuple[Tensor, Tensor]:
    """The different values below ``n_values``, ascending, and which of them each is."""
    if n_values > _MAX_COUNTED * len(values_A):
        values_N, place_A = torch.unique(values_A, return_inverse=True)
        return values_N, place_A
    occurs_N = values_A.new_zeros(n_values, dtype=torch.int32).index_fill_(0, values_A, 1)
    return occurs_N.nonzero()[:, 0], occurs_N.cumsum(0, dtype=torch.int32).index_select(0, values_A) - 1


def _fill(values_A: Tensor) -> Tensor:
    """Repeat the first value until a multiple of 32 is full."""
    missing = round_up(len(values_A)) - len(values_A)
    return torch.cat((values_A, values_A[:1].expand(missing))) if missing else values_A
