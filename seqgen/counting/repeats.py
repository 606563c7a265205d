"""A model that also predicts what a record repeats of itself: the symbols that came after the last ones before.

x_1 .. x_t are the symbols of the record so far; conditions are none. With m(j) the number of symbols, at most 8, in
which x_1 .. x_j and x_1 .. x_t end alike, for j from t - ``look_back`` to t - 1,

    c(s) = sum over j with x_{j+1} = s and m(j) >= 4 of 8^m(j) / the same sum over all s
    p_own(s) = c(s) p_model(s) / A,   A = sum over s of c(s) p_model(s)
    p(s) = r (1 - p_model(end)) p_own(s) + (1 - r) p_model(s),   p(end) = p_model(end)
    r = sigmoid(w . y); 0 where no m(j) is 4 or more, or A / (1 - p_model(end)) is below a millionth

When a record ends only the model says, or samples would repeat themselves without end; and what the model holds for
impossible is not repeated, so that samples keep to a syntax that it knows. Shorter matches would lower the loss a
little more; but samples that follow them are longer than records, and break a syntax more often, as where a repetition
begins amid a bar. y holds, for each length from 5 to 8, whether the longest match has it; log(1 + the number of matches
of that length); the logarithm of the largest c(s); log(1 + t); the logarithm of A / (1 - p_model(end)); the entropy of
the model, and its largest log probability; and a constant. The weights are fitted to held-out symbols.

Source: the cache of Kuhn & De Mori 1990, A cache-based natural language model for speech recognition,
doi:10.1109/34.56193, with entries weighted by their likeness to the present, as in Grave et al. 2017, Improving neural
language models with a continuous cache, arXiv:1612.04426; there of hidden states, here of symbols, as in the match
model of Mahoney 2005, Adaptive weighing of context models for lossless data compression.

Dimension letters: B batch, T steps, V ids, W symbols looked back on, latest first, U of them that are used, N symbols,
G features of the gate, K lengths from 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seqgen.batches import Batch
from seqgen.counting.blend import Blend, entropy
from seqgen.counting.gate import Observed, cross_fitted, scored_nats
from seqgen.model import make_stepper
from seqgen.protocols import State
from seqgen.tokenizers import BOS, EOS, PAD

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Floats

SHORTEST = 4
"""Symbols of a match, below which it does not count."""
LONGEST = 8
"""Symbols of a match, beyond which it counts no more."""
BASE = 8.0
"""The weight of each symbol of a match."""
LEAST_AGREEMENT = 1e-6
"""A / (1 - p_model(end)) below which nothing is repeated."""
_TINY = torch.finfo(torch.float32).tiny  # keeps logarithms finite
N_REPEAT_FEATURES = LONGEST - SHORTEST + 7
"""G: one for each length from 5, six numbers and the constant."""


class Past(NamedTuple):
    """The last symbols of some records.

    Attributes:
        last_BW: their ids, the latest first, int32.
        length_BW: uint8; for each, m of the id before it: the number of ids up to that one, at most 8, which are the
            last ids as well.
        seen_B: how many there are, at most W; the others are left from another record, with lengths of 0.
    """

    last_BW: Tensor
    length_BW: Tensor
    seen_B: Tensor

    @property
    def n_used(self) -> int:
        """The number of ids that any record has; W while the model is exported, where no number depends on data."""
        if torch.compiler.is_compiling() or not len(self.seen_B):
            return self.last_BW.shape[1]
        return max(1, int(self.seen_B.max()))


class Repeats(nn.Module):
    """A model that is mixed with what a record repeats.

    Its state is that of the model, and the past. It has no parameters of its own.

    Args:
        predictor: implements :class:`seqgen.Model`: a network or a :class:`Blend`.
        penalty_V: the result of ``seqgen.evaluation.penalty``, on the model's device.
        look_back: W.
        weights_G: weights of the gate.

    Attributes:
        predictor: as given.
        look_back: as given.
        weights_G: as given.
    """

    predictor: Any  # a model, which mypy would take for a tensor or any module
    penalty_V: Tensor
    is_symbol_V: Tensor
    weights_M: Tensor

    def __init__(self, predictor: nn.Module, penalty_V: Tensor, look_back: int, weights_G: npt.ArrayLike) -> None:
        super().__init__()
        self.predictor, self.look_back, self.weights_G = predictor, look_back, np.asarray(weights_G, dtype=np.float64)
        lengths_M = torch.arange(LONGEST + 1, device=penalty_V.device)
        weights_M = torch.where(lengths_M >= SHORTEST, BASE**lengths_M, 0.0)
        self.register_buffer("penalty_V", penalty_V.float(), persistent=False)
        self.register_buffer("is_symbol_V", penalty_V == 0, persistent=False)
        self.register_buffer("weights_M", weights_M, persistent=False)

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first symbol: that of the model, and the past."""
        return self.predictor.initial_state(batch_size), nothing_seen(batch_size, self.look_back, self.penalty_V.device)

    def forward(self, ids_BT: Tensor, state: State) -> tuple[Tensor, State]:
        """Return log probabilities (B, T, V) of the next symbol after each id, and the state after the last one."""
        inner, past = state
        logits_BTV, inner = self.predictor(ids_BT, inner)
        mixed_BTV = self.penalty_V.new_empty(logits_BTV.shape)
        for t, (ids_B, logits_BV) in enumerate(zip(ids_BT.unbind(1), logits_BTV.unbind(1), strict=True)):
            past = look_back(ids_B, past, self.is_symbol_V)
            mixed_BTV[:, t] = self._mixed(logits_BV, past)
        return mixed_BTV, (inner, past)

    def stepper(self) -> Callable[[Tensor, State], tuple[Tensor, State]]:
        """Return a step for sampling; the weights must not change while it is used."""
        predict = make_stepper(self.predictor)

        def step(ids_B: Tensor, state: State) -> tuple[Tensor, State]:
            inner, past = state
            logits_BV, inner = predict(ids_B, inner)
            past = look_back(ids_B, past, self.is_symbol_V)
            return self._mixed(logits_BV, past), (inner, past)

        return step

    def observe(self, batch: Batch, state: State) -> tuple[Tensor, Tensor, Tensor, State]:
        """Return what the gate decides between, of the targets of a batch.

        Args:
            batch: ids and targets, on the model's device.
            state: the state before it.

        Returns:
            The log probabilities of the targets that p_own with the end and the model give, (N,) each, and the features
            y (N, G), on the CPU; and the state after the batch.
        """
        inner, past = state
        logits_BTV, inner = self.predictor(batch.ids_BT, inner)
        own, model, features = [], [], []
        steps = zip(batch.ids_BT.unbind(1), logits_BTV.unbind(1), batch.targets_BT.unbind(1), strict=True)
        for ids_B, logits_BV, targets_B in steps:
            past = look_back(ids_B, past, self.is_symbol_V)
            probs_BV, own_BV, features_BG = self._parts(logits_BV, past)
            own.append(own_BV.gather(1, targets_B[:, None])[:, 0])
            model.append(probs_BV.gather(1, targets_B[:, None])[:, 0])
            features.append(features_BG)
        known_BT = batch.targets_BT != PAD
        own_N, model_N = (
            torch.stack(probs, 1)[known_BT].clamp(min=_TINY).double().log().cpu() for probs in (own, model)
        )
        return own_N, model_N, torch.stack(features, 1)[known_BT].cpu(), (inner, past)

    def _mixed(self, logits_BV: Tensor, past: Past) -> Tensor:
        """Return the log probabilities of the mixture."""
        probs_BV, own_BV, features_BG = self._parts(logits_BV, past)
        weights_G = torch.from_numpy(self.weights_G).to(features_BG)
        share_B = torch.sigmoid(features_BG @ weights_G) * features_BG[:, -1]
        return torch.lerp(probs_BV, own_BV, share_B[:, None]).clamp_(min=_TINY).log_()

    def _parts(self, logits_BV: Tensor, past: Past) -> tuple[Tensor, Tensor, Tensor]:
        """Return the probabilities of the model, p_own with the model's end in it, (B, V) each, and y (B, G).

        y is 0, its constant too, where nothing is repeated.
        """
        log_probs_BV = torch.log_softmax(logits_BV.to(self.penalty_V.dtype) + self.penalty_V, -1)
        probs_BV = log_probs_BV.exp()
        length_BU = past.length_BW[:, : past.n_used].int()
        counts_BV = self._shares(past, length_BU)
        own_BV = counts_BV * probs_BV
        sum_B1, end_B1 = own_BV.sum(1, keepdim=True).clamp(min=_TINY), probs_BV[:, EOS : EOS + 1]
        agreement_B1 = sum_B1 / (1 - end_B1).clamp(min=_TINY)
        own_BV = own_BV / sum_B1 * (1 - end_B1)
        own_BV = torch.cat((own_BV[:, :EOS], end_B1, own_BV[:, EOS + 1 :]), 1)
        longest_B1 = length_BU.amax(1, keepdim=True)
        features_BG = torch.cat(
            (
                longest_B1 >= torch.arange(SHORTEST + 1, LONGEST + 1, device=longest_B1.device),
                torch.log1p((length_BU == longest_B1).sum(1, keepdim=True)),
                counts_BV.amax(1, keepdim=True).clamp(min=_TINY).log(),
                torch.log1p(past.seen_B)[:, None],
                agreement_B1.clamp(min=LEAST_AGREEMENT).log(),
                entropy(log_probs_BV, probs_BV)[:, None],
                log_probs_BV.amax(1, keepdim=True),
                torch.ones_like(end_B1),
            ),
            1,
        )
        return probs_BV, own_BV, features_BG * ((longest_B1 >= SHORTEST) & (agreement_B1 >= LEAST_AGREEMENT))

    def _shares(self, past: Past, length_BU: Tensor) -> Tensor:
        """Return c (B, V) from the lengths of the first U ids of the past; 0 where nothing matches."""
        n_rows, used = length_BU.shape
        weight_BU = self.weights_M.index_select(0, length_BU.flatten()).view(n_rows, used).to(self.penalty_V.dtype)
        sums_BV = self.penalty_V.new_zeros(n_rows, self.penalty_V.shape[0])
        sums_BV = sums_BV.scatter_add_(1, past.last_BW[:, :used].long(), weight_BU)
        return sums_BV / weight_BU.sum(1, keepdim=True).clamp(min=1)


def count_matches(ids: Sequence[int]) -> int:
    """Return the number of ids of a record before which four ids stand that occurred earlier in it as well."""
    starts = range(len(ids) - SHORTEST)
    return len(starts) - len({tuple(ids[start : start + SHORTEST]) for start in starts})


def fit_repeats(observed: Observed) -> tuple[Floats | None, float]:
    """Return the weights of the gate (G,), and the share of the model's loss that new records have with it.

    Args:
        observed: of held-out symbols, the predictions by p_own and the model, and y.

    Returns:
        These; None and 1 where no symbol can be a repetition.
    """
    matched_N = observed.features_NF[:, -1] > 0
    nats = -float(observed.rest_N.sum())
    if not matched_N.any() or nats <= 0:
        return None, 1.0
    matched = observed.take(matched_N)
    weights_G, score_M = cross_fitted(matched)
    gained = -float(matched.rest_N.sum()) - float(scored_nats(matched, score_M).sum())
    return weights_G, 1 - gained / nats


def blend_of(model: Any) -> Blend | None:
    """Return the blend with counts that a model is or has, if any."""
    predictor = model.predictor if isinstance(model, Repeats) else model
    return predictor if isinstance(predictor, Blend) else None


def network_of(model: Any) -> Any:
    """Return the model that was trained: without counts and without what a record repeats."""
    predictor = model.predictor if isinstance(model, Repeats) else model
    return predictor.network if isinstance(predictor, Blend) else predictor


def nothing_seen(batch_size: int, n_symbols: int, device: torch.device) -> Past:
    """Return the past before the first symbol."""
    ids_BW = torch.full((batch_size, n_symbols), PAD, dtype=torch.int32, device=device)
    return Past(ids_BW, ids_BW.to(torch.uint8), torch.zeros(batch_size, dtype=torch.int64, device=device))


def look_back(ids_B: Tensor, past: Past, is_symbol_V: Tensor) -> Past:
    """Return the past after one more id; the mark before a text forgets it, and conditions and padding leave it."""
    used, most = past.n_used, past.last_BW.shape[1]
    last_BU, length_BU = past.last_BW[:, :used], past.length_BW[:, :used]
    begins_B, is_symbol_B = ids_B == BOS, is_symbol_V.index_select(0, ids_B)
    known_B = torch.where(begins_B, 0, past.seen_B)
    own_B = ids_B.to(last_BU.dtype)
    matches_BU = (last_BU == own_B[:, None]) & (torch.arange(used, device=ids_B.device) < known_B[:, None])
    longer_BU = torch.where(matches_BU, (length_BU + 1).clamp(max=LONGEST), 0).to(length_BU.dtype)
    shifted_BU = torch.cat((own_B[:, None], last_BU), 1)[:, :most]
    shifted_BU = torch.where(is_symbol_B[:, None], shifted_BU, past.last_BW[:, : shifted_BU.shape[1]])
    return Past(
        torch.cat((shifted_BU, past.last_BW[:, shifted_BU.shape[1] :]), 1),
        torch.cat((torch.where((is_symbol_B | begins_B)[:, None], longer_BU, length_BU), past.length_BW[:, used:]), 1),
        (known_B + is_symbol_B).clamp(max=most),
    )
