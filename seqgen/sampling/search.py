"""Exact search for the most probable rows: best-first search over the tree of all rows.

A prefix is at least as probable as every row that begins with it. So the most probable prefixes are visited first, in
batches; a row is proven to be the next best once no open prefix is more probable.

Dimension letters: L symbols, N prefixes of a batch, O open ones, R prefixes of one length, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, SupportsIndex, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqgen.errors import UsageError
from seqgen.protocols import State
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.row_batch import MULTIPLE, round_up
from seqgen.states import join_rows, select_rows
from seqgen.tokenizers import BOS, EOS

_BATCH_SIZE = 256  # prefixes visited in one batch
_OPEN = np.dtype([("length", np.int32), ("row", np.int32), ("id", np.int32), ("log_prob", np.float64)])


class TopRow(NamedTuple):
    """One of the most probable rows.

    Attributes:
        text: the row.
        nats: its negative log-probability, nats.
    """

    text: str
    nats: float


@dataclass(frozen=True)
class Top:
    """The result of a search for the most probable rows: a sequence of these, each with ``text`` and ``nats``.

    Attributes:
        texts: the rows, the most probable first.
        nats: the negative log-probability of each, nats.
        n_proven: how many of the first ones are proven to be the most probable.
        unseen_nats: lower bound on the negative log-probability of every other row, nats.
        n_nodes: prefixes visited.
    """

    texts: tuple[str, ...]
    nats: tuple[float, ...]
    n_proven: int
    unseen_nats: float
    n_nodes: int

    @property
    def rows(self) -> tuple[TopRow, ...]:
        """The rows, each with its text and its negative log-probability."""
        return tuple(map(TopRow, self.texts, self.nats))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.texts)

    def __iter__(self) -> Iterator[TopRow]:
        """Iterate over the rows, the most probable first."""
        return iter(self.rows)

    @overload
    def __getitem__(self, index: SupportsIndex) -> TopRow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[TopRow, ...]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> TopRow | tuple[TopRow, ...]:
        """Return a row by its rank from 0, or several by a slice."""
        return self.rows[index]


def top_rows(decoder: Decoder, n: int, n_nodes: int) -> Top:
    """Return the ``n`` most probable rows that can be found by visiting ``n_nodes`` prefixes.

    Probabilities are those after the decoding steps, given prefix and conditions; a constraint removes rows and changes
    the probability of none. If several sequences of symbols spell one text, the most probable one counts. Rows with a
    broken character, where symbols are parts of characters, are left out.

    Args:
        decoder: model and settings.
        n: number of rows, at least 1.
        n_nodes: limit on the prefixes visited, at least 1.

    Raises:
        UsageError: rows of this run have no end.
        Diverged: the logits of the model are not finite, or a decoding step leaves no symbol.
    """
    if not decoder.vocabulary.ends:
        raise UsageError(
            "cannot find the most probable rows: this run was trained on one long text, whose rows have no end"
        )
    decoder = decoder.of_whole_characters()
    with decoder.inference():
        search = _Search(decoder, n)
        while search.n_nodes < n_nodes and search.can_improve():
            search.expand(min(_BATCH_SIZE, n_nodes - search.n_nodes))
    return search.top()


class _Search:
    """Open prefixes and finished rows; an open prefix is a row of a level and the id after it."""

    def __init__(self, decoder: Decoder, n: int) -> None:
        self._decoder, self._n = decoder, n
        self._step = decoder.steps()
        # The visited prefixes of each length, (R, L), and the states after them.
        self._levels: dict[int, tuple[npt.NDArray[np.int64], State]] = {}
        self._open_O = np.empty(0, _OPEN)
        self._found: dict[str, float] = {}
        self.n_nodes = 0
        ids_C = torch.full((MULTIPLE,), BOS, device=decoder.device)
        logits_CV, state = self._step(ids_C, self._step.initial_state(MULTIPLE), 0)
        for n_read, forced in enumerate(decoder.forced, 1):
            logits_CV, state = self._step(torch.full_like(ids_C, forced), state, n_read)
        prefix_1L = np.array([decoder.forced[decoder.n_slots :]], dtype=np.int64)
        self._visit(prefix_1L, np.zeros(1), logits_CV, state)

    def can_improve(self) -> bool:
        """Return whether an open prefix is more probable than the ``n``-th row found."""
        return self._best_open() > self._threshold()

    def _best_open(self) -> float:
        return float(self._open_O["log_prob"].max(initial=-np.inf))

    def _threshold(self) -> float:
        """Return the log-probability that a row must exceed to be among the ``n`` best."""
        return min(self._found.values()) if len(self._found) == self._n else -np.inf

    def expand(self, most: int) -> None:
        """Visit the most probable open prefixes, those of one length together."""
        best = _largest(self._open_O["log_prob"], most)
        best_N = self._open_O[best]
        self._open_O = np.delete(self._open_O, best)
        for length in np.unique(best_N["length"]).tolist():
            level_N = best_N[best_N["length"] == length]
            ids_RL, states = self._levels[length]
            fill = np.arange(round_up(len(level_N))) % len(level_N)
            rows_C, ids_C = (torch.from_numpy(level_N[name][fill].astype(np.int64)) for name in ("row", "id"))
            state = select_rows(states, rows_C.to(self._decoder.device))
            n_read = self._decoder.n_slots + length + 1
            logits_CV, state = self._step(ids_C.to(self._decoder.device), state, n_read)
            ids_NL = np.hstack([ids_RL[level_N["row"]], level_N["id"][:, None]])
            self._visit(ids_NL, level_N["log_prob"], logits_CV, state)

    def _visit(
        self, ids_NL: npt.NDArray[np.int64], log_prob_N: npt.NDArray[np.float64], logits_CV: Tensor, state: State
    ) -> None:
        """Record what may follow some prefixes of one length; computed rows beyond these are padding."""
        n, length = ids_NL.shape
        self.n_nodes += n
        first_row = self._add_to_level(ids_NL, select_rows(state, torch.arange(n, device=self._decoder.device)))
        after_NV = log_prob_N[:, None] + self._log_probs(ids_NL, logits_CV[:n], state)
        for row in np.flatnonzero(after_NV[:, EOS] > self._threshold()).tolist():
            self._add_found(self._decoder.vocabulary.decode(ids_NL[row].tolist()), float(after_NV[row, EOS]))
        after_NV[:, EOS] = -np.inf
        threshold = self._threshold()
        if threshold > -np.inf:
            self._open_O = self._open_O[self._open_O["log_prob"] > threshold]
        if length < self._decoder.max_length:
            rows, ids = np.nonzero(after_NV > threshold)
            children_O = np.empty(len(rows), _OPEN)
            children_O["length"], children_O["row"], children_O["id"] = length, first_row + rows, ids
            children_O["log_prob"] = after_NV[rows, ids]
            self._open_O = np.concatenate([self._open_O, children_O])

    def _add_to_level(self, ids_NL: npt.NDArray[np.int64], state: State) -> int:
        """Add prefixes and the states after them to their level; return the row of the first."""
        length, first = ids_NL.shape[1], 0
        if length in self._levels:
            before_RL, before = self._levels[length]
            first, ids_NL, state = len(before_RL), np.vstack([before_RL, ids_NL]), join_rows(before, state)
        self._levels[length] = ids_NL, state
        return first

    def _log_probs(self, ids_NL: npt.NDArray[np.int64], logits_NV: Tensor, state: State) -> npt.NDArray[np.float64]:
        """Return log-probabilities (N, V) of the next id; a constraint forbids ids and renormalises nothing."""
        history_NL = torch.from_numpy(ids_NL).to(self._decoder.device)
        log_probs_NV = torch.log_softmax(self._decoder.process(logits_NV, history_NL).double(), -1)
        if bool(log_probs_NV.isnan().any()):
            raise self._decoder.dead_end(logits_NV, history_NL)
        n, length = ids_NL.shape
        rows_N = torch.arange(n, device=log_probs_NV.device)
        allowed_NV = self._step.mask(log_probs_NV, select_rows(state, rows_N), self._decoder.n_slots + length)
        return allowed_NV.cpu().numpy()

    def _add_found(self, text: str, log_prob: float) -> None:
        """Record a finished row, and drop the least probable one beyond ``n``."""
        self._found[text] = max(log_prob, self._found.get(text, -np.inf))
        if len(self._found) > self._n:
            del self._found[min(self._found, key=self._found.__getitem__)]

    def top(self) -> Top:
        """Return the rows found so far."""
        texts = sorted(self._found, key=self._found.__getitem__, reverse=True)
        open_ = self._best_open()
        n_proven = sum(self._found[text] >= open_ for text in texts)
        unseen = max(open_, self._threshold())
        return Top(tuple(texts), tuple(-self._found[text] for text in texts), n_proven, -unseen, self.n_nodes)


def _largest(values_N: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.intp]:
    """Return the places of the largest values, in descending order and of equal ones the first first.

    Sorting all of a million open prefixes to expand a few hundred took two thirds of a search.
    """
    places = np.arange(len(values_N))
    if most < len(values_N):
        least = np.partition(values_N, len(values_N) - most)[len(values_N) - most]
        places = np.flatnonzero(values_N >= least)
    found: npt.NDArray[np.intp] = places[np.argsort(-values_N[places], kind="stable")[:most]]
    return found
