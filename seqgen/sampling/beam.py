"""Beam search, and stochastic beam search for sampling without replacement.

Dimension letters: B rows of the beam, C computed rows, T positions, V vocabulary.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from seqgen.protocols import State
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.row_batch import MULTIPLE, padded
from seqgen.sampling.sampler import Sample
from seqgen.states import select_rows
from seqgen.tokenizers import BOS, EOS, PAD


def beam_rows(decoder: Decoder, width: int, *, replace: bool = True) -> list[Sample]:
    """Return the rows of a beam search, the best first.

    With ``replace`` these are the most probable rows that ended while a beam of ``width`` prefixes grew, followed by
    those that did not end. Without it, rows are sampled without replacement from the distribution after the decoding
    steps: each prefix carries its log-probability plus Gumbel noise, the maximum of its children's, so that the
    ``width`` best are a sample (stochastic beam search, arXiv:1903.06059). No sequence of ids occurs twice; two may
    spell the same text where symbols have several characters. Where symbols are parts of characters, all characters of
    rows are whole.

    Args:
        decoder: model and settings; its seed is that of the noise.
        width: rows of the beam, and the number of rows returned unless there are fewer.
        replace: False to sample without replacement.

    Raises:
        Diverged: the logits of the model are not finite, or a decoding step leaves no symbol.
    """
    noise = None if replace else np.random.Generator(np.random.Philox(key=[decoder.settings.seed, width]))
    decoder = decoder.of_whole_characters()
    with decoder.inference():
        beam = _Beam(decoder, width, noise)
        for id_ in decoder.forced:
            beam.force(id_)
        while beam.can_grow():
            beam.grow()
    return beam.samples()


class _Beam:
    """The prefixes of a beam, the best first."""

    def __init__(self, decoder: Decoder, width: int, noise: np.random.Generator | None) -> None:
        self._decoder, self._width, self._noise = decoder, width, noise
        self._step = decoder.steps()
        self._n_read = 0
        self._ids_BT = torch.zeros(1, 0, dtype=torch.long, device=decoder.device)
        self._log_prob_B = torch.zeros(1, dtype=torch.double, device=decoder.device)  # log-probabilities
        self._perturbed_B = torch.zeros_like(self._log_prob_B)
        self._ended_B = torch.zeros(1, dtype=torch.bool, device=decoder.device)
        self._finished: list[tuple[float, list[int]]] = []  # beam search only: log-probability and ids
        start_C = torch.full((MULTIPLE,), BOS, device=decoder.device)
        self._logits_CV, self._state = self._step(start_C, self._step.initial_state(MULTIPLE), 0)

    def can_grow(self) -> bool:
        """Return whether a row has not ended and may become one of the results."""
        length = self._n_read - self._decoder.n_slots
        max_read = self._decoder.max_length + self._decoder.vocabulary.ends  # the end takes one position more
        if length >= max_read or bool(self._ended_B.all()):
            return False
        return len(self._finished) < self._width or float(self._log_prob_B.max()) > self._finished[-1][0]

    def force(self, id_: int) -> None:
        """Append an id to every row, whatever its probability."""
        self._advance(torch.zeros(1, dtype=torch.long, device=self._ids_BT.device), torch.tensor([id_]))

    def grow(self) -> None:
        """Extend the rows by one id, and keep the best of all extensions."""
        log_probs_BV = self._log_probs()
        stay_V = torch.full_like(log_probs_BV[0], -torch.inf)
        stay_V[PAD] = 0  # the only extension of a finished row is itself
        log_prob_BV = self._log_prob_B[:, None] + torch.where(self._ended_B[:, None], stay_V, log_probs_BV)
        if self._n_read - self._decoder.n_slots == self._decoder.max_length:
            log_prob_BV = _end_or_cut(log_prob_BV)
        if self._noise is None:
            self._finish(log_prob_BV[:, EOS])
            log_prob_BV[:, EOS] = -torch.inf
            score_BV = log_prob_BV
        else:
            score_BV = self._add_gumbel(log_prob_BV)
        best = torch.topk(score_BV.flatten(), min(self._width, score_BV.numel()))
        best_B = best.indices[best.values > -torch.inf]
        if not len(best_B):
            self._ended_B = torch.ones_like(self._ended_B)
            self._log_prob_B = torch.full_like(self._log_prob_B, -torch.inf)
            return
        rows_B, ids_B = best_B // score_BV.shape[1], best_B % score_BV.shape[1]
        self._log_prob_B, self._perturbed_B = log_prob_BV.flatten()[best_B], score_BV.flatten()[best_B]
        self._ended_B = self._ended_B[rows_B] | (ids_B == EOS)
        self._advance(rows_B, ids_B)

    def _finish(self, log_prob_B: Tensor) -> None:
        """Add the rows that end here to the finished ones, and keep the best of these."""
        ids = self._ids_BT[:, self._decoder.n_slots :].tolist()
        ended = [
            (log_prob, row) for log_prob, row in zip(log_prob_B.tolist(), ids, strict=True) if log_prob > -math.inf
        ]
        self._finished = sorted([*self._finished, *ended], key=lambda pair: -pair[0])[: self._width]

    def _log_probs(self) -> Tensor:
        """Return log-probabilities (B, V) of the next id.

        Beam search ranks by the model's own probabilities, of which a constraint only removes some; sampling
        renormalises after the constraint.
        """
        history_BT = self._ids_BT[:, self._decoder.n_slots :]
        rows_CV = self._logits_CV
        if self._noise is not None:
            rows_CV = self._step.mask(rows_CV, self._state, self._n_read)
        rows_BV = rows_CV[: len(history_BT)]
        log_probs_BV = torch.log_softmax(self._decoder.process(rows_BV, history_BT).double(), -1)
        if bool(log_probs_BV[~self._ended_B].isnan().any()):
            raise self._decoder.dead_end(rows_BV, history_BT, ~self._ended_B)
        if self._noise is not None:
            return log_probs_BV
        log_probs_CV = torch.zeros_like(self._logits_CV, dtype=torch.double)
        log_probs_CV[: len(log_probs_BV)] = log_probs_BV
        return self._step.mask(log_probs_CV, self._state, self._n_read)[: len(log_probs_BV)]

    def _add_gumbel(self, log_prob_BV: Tensor) -> Tensor:
        """Return extensions with Gumbel noise, conditioned on their maximum being that of their prefix.

        With G the value of the prefix, g that of an extension and Z the greatest g: v = G - g + log(1 - exp(g - Z)),
        and the extension's value becomes G - max(0, v) - log(1 + exp(-abs(v))).
        """
        assert self._noise is not None
        uniform_BV = torch.from_numpy(self._noise.random(tuple(log_prob_BV.shape))).to(log_prob_BV.device)
        gumbel_BV = log_prob_BV - torch.log(-torch.log(uniform_BV.clamp(min=1e-300)))
        greatest_B1 = gumbel_BV.amax(1, keepdim=True)
        parent_B1 = self._perturbed_B[:, None]
        v_BV = parent_B1 - gumbel_BV + torch.log1p(-torch.exp(gumbel_BV - greatest_B1))
        conditioned_BV = parent_B1 - v_BV.clamp(min=0) - torch.log1p(torch.exp(-v_BV.abs()))
        conditioned_BV = torch.where(gumbel_BV == greatest_B1, parent_B1, conditioned_BV)
        return torch.where(log_prob_BV == -torch.inf, -torch.inf, conditioned_BV)

    def _advance(self, rows_B: Tensor, ids_B: Tensor) -> None:
        ids_B = ids_B.to(self._ids_BT.device)
        self._ids_BT = torch.cat((self._ids_BT[rows_B], ids_B[:, None]), 1)
        self._n_read += 1
        if not self.can_grow():
            return
        state: State = select_rows(self._state, padded(rows_B))
        self._logits_CV, self._state = self._step(padded(ids_B), state, self._n_read)

    def samples(self) -> list[Sample]:
        """Return the finished rows, then the unfinished ones, at most ``width``."""
        rows = [(ids, False) for _, ids in self._finished]
        for log_prob, row in zip(
            self._log_prob_B.tolist(), self._ids_BT[:, self._decoder.n_slots :].tolist(), strict=True
        ):
            cut = EOS not in row
            if log_prob > -math.inf:
                rows.append((row[: self._decoder.max_length] if cut else row[: row.index(EOS)], cut))
        vocabulary = self._decoder.vocabulary
        return [Sample(number, vocabulary.decode(ids), cut) for number, (ids, cut) in enumerate(rows[: self._width])]


def _end_or_cut(log_prob_BV: Tensor) -> Tensor:
    """Return extensions of rows at the length limit: the end, or, as PAD, any other, since the row is cut there."""
    found_BV = torch.full_like(log_prob_BV, -torch.inf)
    found_BV[:, EOS] = log_prob_BV[:, EOS]
    others_BV = log_prob_BV.clone()
    others_BV[:, EOS] = -torch.inf
    found_BV[:, PAD] = others_BV.logsumexp(1)
    return found_BV
