"""The most probable rows of a model, proven: best-first search over the tree of all rows.

A beginning is at least as probable as every row that begins so. So the most probable beginnings are looked at first,
many at once; a row is proven to be the next best as soon as no beginning left is more probable.

Dimension letters: L symbols, N beginnings of a batch, O open ones, R beginnings of one length, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqgen.errors import UsageError
from seqgen.protocols import State
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.rows import MULTIPLE, round_up
from seqgen.states import join_rows, select_rows
from seqgen.tokenizers import BOS, EOS

_TOGETHER = 256  # beginnings looked at in one go
_OPEN = np.dtype([("length", np.int32), ("row", np.int32), ("id", np.int32), ("log_prob", np.float64)])


@dataclass(frozen=True)
class Top:
    """The most probable rows that were found.

    Attributes:
        texts: the rows, the most probable first.
        nats: the negative log-probability of each, nats.
        n_proven: how many of the first are proven to be the most probable.
        unseen_nats: every row that is not among them costs at least this.
        n_nodes: beginnings looked at.
    """

    texts: tuple[str, ...]
    nats: tuple[float, ...]
    n_proven: int
    unseen_nats: float
    n_nodes: int


def top_rows(decoder: Decoder, n: int, n_nodes: int) -> Top:
    """The ``n`` most probable rows, as far as can be found by looking at ``n_nodes`` beginnings.

    Probabilities are those that the decoding steps leave, after the prefix and under the conditions given; a
    constraint takes rows away and changes the probability of none. Of several sequences of symbols that spell one
    text the most probable counts.

    Args:
        decoder: what rows are asked to be.
        n: how many, at least 1.
        n_nodes: the effort, at least 1.

    Raises:
        UsageError: rows of this run have no end.
        Diverged: the model gives no number, or a decoding step leaves nothing to draw.
    """
    if not decoder.vocabulary.ends:
        raise UsageError("this run learned one long text, which has no rows that could be the most probable")
    with decoder.resting():
        search = _Search(decoder, n)
        while search.n_nodes < n_nodes and search.may_find_more():
            search.expand(min(_TOGETHER, n_nodes - search.n_nodes))
    return search.top()


@dataclass
class _Level:
    """Beginnings of one length that have been looked at: their ids (R, L), and the state after them."""

    ids_RL: npt.NDArray[np.int64]
    state: State


class _Search:
    """Open beginnings and finished rows. An open one is a row of a level and the id behind it."""

    def __init__(self, decoder: Decoder, n: int) -> None:
        self._decoder, self._n = decoder, n
        self._step = decoder.steps()
        self._levels: dict[int, _Level] = {}
        self._open_O = np.empty(0, _OPEN)
        self._found: dict[str, float] = {}
        self.n_nodes = 0
        ids_C = torch.full((MULTIPLE,), BOS, device=decoder.device)
        logits_CV, state = self._step(ids_C, self._step.initial_state(MULTIPLE), 0)
        for n_drawn, forced in enumerate(decoder.forced, 1):
            logits_CV, state = self._step(torch.full_like(ids_C, forced), state, n_drawn)
        prefix_1L = np.array([decoder.forced[decoder.n_slots :]], dtype=np.int64)
        self._look_at(prefix_1L, np.zeros(1), logits_CV, state)

    def may_find_more(self) -> bool:
        """Whether an open beginning is more probable than the ``n``-th row found."""
        return self._best_open() > self._threshold()

    def _best_open(self) -> float:
        return float(self._open_O["log_prob"].max(initial=-np.inf))

    def _threshold(self) -> float:
        """The log-probability that a row must exceed to be among the ``n`` best."""
        return min(self._found.values()) if len(self._found) == self._n else -np.inf

    def expand(self, most: int) -> None:
        """Look at the most probable open beginnings, those of one length together."""
        best = np.argsort(-self._open_O["log_prob"], kind="stable")[:most]
        taken_N = self._open_O[best]
        self._open_O = np.delete(self._open_O, best)
        for length in np.unique(taken_N["length"]).tolist():
            some_N = taken_N[taken_N["length"] == length]
            level = self._levels[length]
            fill = np.arange(round_up(len(some_N))) % len(some_N)
            rows_C, ids_C = (torch.from_numpy(some_N[name][fill].astype(np.int64)) for name in ("row", "id"))
            state = select_rows(level.state, rows_C.to(self._decoder.device))
            n_drawn = self._decoder.n_slots + length + 1
            logits_CV, state = self._step(ids_C.to(self._decoder.device), state, n_drawn)
            ids_NL = np.hstack([level.ids_RL[some_N["row"]], some_N["id"][:, None]])
            self._look_at(ids_NL, some_N["log_prob"], logits_CV, state)

    def _look_at(
        self, ids_NL: npt.NDArray[np.int64], log_prob_N: npt.NDArray[np.float64], logits_CV: Tensor, state: State
    ) -> None:
        """Note what may follow some beginnings of one length; computed rows beyond them only fill up."""
        n, length = ids_NL.shape
        self.n_nodes += n
        first_row = self._keep(ids_NL, select_rows(state, torch.arange(n, device=self._decoder.device)))
        after_NV = log_prob_N[:, None] + self._log_probs(ids_NL, logits_CV[:n], state)
        for row in np.flatnonzero(after_NV[:, EOS] > self._threshold()).tolist():
            self._find(self._decoder.vocabulary.decode(ids_NL[row].tolist()), float(after_NV[row, EOS]))
        after_NV[:, EOS] = -np.inf
        threshold = self._threshold()
        self._open_O = self._open_O[self._open_O["log_prob"] > threshold]
        if length < self._decoder.max_length:
            rows, ids = np.nonzero(after_NV > threshold)
            children_O = np.empty(len(rows), _OPEN)
            children_O["length"], children_O["row"], children_O["id"] = length, first_row + rows, ids
            children_O["log_prob"] = after_NV[rows, ids]
            self._open_O = np.concatenate([self._open_O, children_O])

    def _keep(self, ids_NL: npt.NDArray[np.int64], state: State) -> int:
        """Put beginnings and the states after them into their level; the row of the first."""
        length = ids_NL.shape[1]
        level = self._levels.get(length)
        if level is None:
            self._levels[length] = _Level(ids_NL, state)
            return 0
        first = len(level.ids_RL)
        level.ids_RL, level.state = np.vstack([level.ids_RL, ids_NL]), join_rows(level.state, state)
        return first

    def _log_probs(self, ids_NL: npt.NDArray[np.int64], logits_NV: Tensor, state: State) -> npt.NDArray[np.float64]:
        """Log-probabilities (N, V) of what may follow; a constraint forbids, but renormalises nothing."""
        history_NL = torch.from_numpy(ids_NL).to(self._decoder.device)
        log_probs_NV = torch.log_softmax(self._decoder.process(logits_NV, history_NL).double(), -1)
        if bool(log_probs_NV.isnan().any()):
            raise self._decoder.nothing_left(logits_NV, history_NL)
        n, length = ids_NL.shape
        rows_N = torch.arange(n, device=log_probs_NV.device)
        allowed_NV = self._step.mask(log_probs_NV, select_rows(state, rows_N), self._decoder.n_slots + length)
        return allowed_NV.cpu().numpy()

    def _find(self, text: str, log_prob: float) -> None:
        """Note a finished row, and forget the worst when there are too many."""
        self._found[text] = max(log_prob, self._found.get(text, -np.inf))
        if len(self._found) > self._n:
            del self._found[min(self._found, key=self._found.__getitem__)]

    def top(self) -> Top:
        """What was found."""
        texts = sorted(self._found, key=self._found.__getitem__, reverse=True)
        open_ = self._best_open()
        n_proven = sum(self._found[text] >= open_ for text in texts)
        unseen = max(open_, self._threshold())
        return Top(tuple(texts), tuple(-self._found[text] for text in texts), n_proven, -unseen, self.n_nodes)
