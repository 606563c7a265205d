"""Several rows at once that know of one another: beam search, and sampling without replacement.

Dimension letters: B rows of the beam, C rows computed, T positions, V vocabulary.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from seqgen.protocols import State
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.rows import MULTIPLE, round_up
from seqgen.sampling.sampler import Sample
from seqgen.states import select_rows
from seqgen.tokenizers import BOS, EOS, PAD


def beam_rows(decoder: Decoder, width: int, *, replace: bool = True) -> list[Sample]:
    """The rows that a beam ends with, the best first.

    With ``replace`` the likeliest rows that have ended while a beam of ``width`` likely beginnings grew; those that
    have not stand behind them. Without it, rows drawn without
    replacement from the distribution that the decoding steps leave: each beginning carries its log-probability plus
    Gumbel noise, which is the greatest of its children's, so the ``width`` best are a sample (stochastic beam search,
    arXiv:1903.06059). No row comes twice; of symbols of several characters two rows may spell the same text.

    Args:
        decoder: what rows are asked to be; its seed is that of the noise.
        width: rows of the beam, which is how many come back, unless there are fewer.
        replace: False for a sample without replacement.

    Raises:
        Diverged: the model gives no number, or a decoding step leaves nothing to draw.
    """
    noise = None if replace else np.random.Generator(np.random.Philox(key=[decoder.settings.seed, width]))
    with decoder.resting():
        beam = _Beam(decoder, width, noise)
        for id_ in decoder.forced:
            beam.force(id_)
        while beam.grows():
            beam.grow()
    return beam.samples()


class _Beam:
    """Beginnings of rows, the best first."""

    def __init__(self, decoder: Decoder, width: int, noise: np.random.Generator | None) -> None:
        self._decoder, self._width, self._noise = decoder, width, noise
        self._step = decoder.steps()
        self._n_drawn = 0
        self._ids_BT = torch.zeros(1, 0, dtype=torch.long, device=decoder.device)
        self._nats_B = torch.zeros(1, dtype=torch.double, device=decoder.device)  # log-probabilities
        self._perturbed_B = torch.zeros_like(self._nats_B)
        self._ended_B = torch.zeros(1, dtype=torch.bool, device=decoder.device)
        self._finished: list[tuple[float, list[int]]] = []  # of a beam without noise: log-probability and ids
        start_C = torch.full((MULTIPLE,), BOS, device=decoder.device)
        self._logits_CV, self._state = self._step(start_C, self._step.initial_state(MULTIPLE), 0)

    def grows(self) -> bool:
        """Whether a row has not ended and may grow."""
        length = self._n_drawn - self._decoder.n_slots
        most = self._decoder.max_length + self._decoder.vocabulary.ends  # the end has a place of its own
        if length >= most or bool(self._ended_B.all()):
            return False
        return len(self._finished) < self._width or float(self._nats_B.max()) > self._finished[-1][0]

    def force(self, id_: int) -> None:
        """Let all rows go on with an id, whatever its probability."""
        self._follow(torch.zeros(1, dtype=torch.long, device=self._ids_BT.device), torch.tensor([id_]))

    def grow(self) -> None:
        """Let rows go on with the best of all ids that may follow any of them."""
        costs_BV = self._costs()
        stay_V = torch.full_like(costs_BV[0], -torch.inf)
        stay_V[PAD] = 0  # a row that has ended is its own only child
        nats_BV = self._nats_B[:, None] + torch.where(self._ended_B[:, None], stay_V, costs_BV)
        if self._noise is None:
            self._finish(nats_BV[:, EOS])
            nats_BV[:, EOS] = -torch.inf
            score_BV = nats_BV
        else:
            score_BV = self._perturb(nats_BV)
        best = torch.topk(score_BV.flatten(), min(self._width, score_BV.numel()))
        best_B = best.indices[best.values > -torch.inf]
        if not len(best_B):
            self._ended_B = torch.ones_like(self._ended_B)
            self._nats_B = torch.full_like(self._nats_B, -torch.inf)
            return
        rows_B, ids_B = best_B // score_BV.shape[1], best_B % score_BV.shape[1]
        self._nats_B, self._perturbed_B = nats_BV.flatten()[best_B], score_BV.flatten()[best_B]
        self._ended_B = self._ended_B[rows_B] | (ids_B == EOS)
        self._follow(rows_B, ids_B)

    def _finish(self, nats_B: Tensor) -> None:
        """Put rows that end here aside, of which the best are kept."""
        ids = self._ids_BT[:, self._decoder.n_slots :].tolist()
        ended = [(nats, row) for nats, row in zip(nats_B.tolist(), ids, strict=True) if nats > -math.inf]
        self._finished = sorted([*self._finished, *ended], key=lambda pair: -pair[0])[: self._width]

    def _costs(self) -> Tensor:
        """Log-probabilities (B, V) of what may follow.

        Likely rows are found by the model's own, which a constraint only cuts; rows are drawn from what it leaves.
        """
        history_BT = self._ids_BT[:, self._decoder.n_slots :]
        rows_CV = self._logits_CV
        if self._noise is not None:
            rows_CV = self._step.mask(rows_CV, self._state, self._n_drawn)
        rows_BV = rows_CV[: len(history_BT)]
        costs_BV = torch.log_softmax(self._decoder.process(rows_BV, history_BT).double(), -1)
        if bool(costs_BV[~self._ended_B].isnan().any()):
            raise self._decoder.nothing_left(rows_BV, history_BT, ~self._ended_B)
        if self._noise is not None:
            return costs_BV
        costs_CV = torch.zeros_like(self._logits_CV, dtype=torch.double)
        costs_CV[: len(costs_BV)] = costs_BV
        return self._step.mask(costs_CV, self._state, self._n_drawn)[: len(costs_BV)]

    def _perturb(self, nats_BV: Tensor) -> Tensor:
        """Gumbel noise on children, of which the greatest is that of their parent.

        With G the parent's, g a child's and Z the greatest g: v = G - g + log(1 - exp(g - Z)), and the child's becomes
        G - max(0, v) - log(1 + exp(-abs(v))).
        """
        assert self._noise is not None
        uniform_BV = torch.from_numpy(self._noise.random(tuple(nats_BV.shape))).to(nats_BV.device)
        gumbel_BV = nats_BV - torch.log(-torch.log(uniform_BV.clamp(min=1e-300)))
        greatest_B1 = gumbel_BV.amax(1, keepdim=True)
        parent_B1 = self._perturbed_B[:, None]
        v_BV = parent_B1 - gumbel_BV + torch.log1p(-torch.exp(gumbel_BV - greatest_B1))
        conditioned_BV = parent_B1 - v_BV.clamp(min=0) - torch.log1p(torch.exp(-v_BV.abs()))
        conditioned_BV = torch.where(gumbel_BV == greatest_B1, parent_B1, conditioned_BV)
        return torch.where(nats_BV == -torch.inf, -torch.inf, conditioned_BV)

    def _follow(self, rows_B: Tensor, ids_B: Tensor) -> None:
        ids_B = ids_B.to(self._ids_BT.device)
        self._ids_BT = torch.cat((self._ids_BT[rows_B], ids_B[:, None]), 1)
        self._n_drawn += 1
        if not self.grows():
            return
        missing = round_up(len(rows_B)) - len(rows_B)
        rows_C, ids_C = (torch.cat((of_B, of_B[:1].expand(missing))) for of_B in (rows_B, ids_B))
        state: State = select_rows(self._state, rows_C)
        self._logits_CV, self._state = self._step(ids_C, state, self._n_drawn)

    def samples(self) -> list[Sample]:
        """The rows."""
        rows = [(ids, False) for _, ids in self._finished]
        for nats, row in zip(self._nats_B.tolist(), self._ids_BT[:, self._decoder.n_slots :].tolist(), strict=True):
            cut = EOS not in row
            if nats > -math.inf:
                rows.append((row[: self._decoder.max_length] if cut else row[: row.index(EOS)], cut))
        vocabulary = self._decoder.vocabulary
        return [Sample(number, vocabulary.decode(ids), cut) for number, (ids, cut) in enumerate(rows[: self._width])]
