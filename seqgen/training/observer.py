"""The held-out symbols of a run as the gates of its mixture see them.

Dimension letters: B batch, T steps, N symbols, F features, V ids that can be predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqgen.batches import Batch, Encoded, Stream
from seqgen.counting import (
    FLOOR,
    LEAST_RECORDS,
    N_FEATURES,
    Blend,
    Gates,
    Observed,
    Predictions,
    Repeats,
    count_matches,
    entropy,
    exponents,
    mix,
    most_symbols,
    node_features,
)
from seqgen.evaluation import HeldOut, bits_per_char, held_out_batches
from seqgen.model import evaluation_mode
from seqgen.protocols import State
from seqgen.tokenizers import PAD

if TYPE_CHECKING:
    from seqgen.protocols import Floats, Integers


_REPEAT_IDS, _FEWEST_RECORDS = 20_000, 5  # held-out ids, and records, that the gate of what they repeat is fitted to
_FEWEST_MATCHES = 5e-4  # share of symbols that may be repetitions, below which no gate is fitted
_LANES_APART = 4  # of the lanes of a long text, each of which is a stretch of it, those that this gate is fitted to
_PROBABILITIES = 1 << 22  # that are computed together


class Measured(NamedTuple):
    """The predictions of held-out symbols by a blend and by its parts, as if their records were new.

    Attributes:
        network_N: log probability that the network gives to each symbol, nats.
        ngram_N: that of the counts.
        mixed_N: that of both together.
        record_N: the record of each symbol, from 0.
    """

    network_N: Floats
    ngram_N: Floats
    mixed_N: Floats
    record_N: Integers


class _Looked(NamedTuple):
    """The symbols of a batch as the counts see them; ``features_NF`` lacks what the network says."""

    node_N: Tensor
    target_N: Tensor
    features_NF: Floats
    row_N: Integers

    def take(self, chosen: slice) -> _Looked:
        """Return some of the symbols."""
        return _Looked(self.node_N[chosen], self.target_N[chosen], self.features_NF[chosen], self.row_N[chosen])


class Observer:
    """Held-out symbols, whose contexts are looked up once.

    Args:
        blend: the network and the counts.
        encoded: the held-out part.
        penalty_V: the result of ``seqgen.evaluation.penalty``, on the model's device.
        divided: returns the result of ``log_probs_of`` for each batch of at most so many records, where several
            processes compute them, else None; calls its last argument before each round.

    Attributes:
        word_V: that of the blend, for the ids that can be predicted.
    """

    def __init__(
        self,
        blend: Blend,
        encoded: Encoded | Stream,
        penalty_V: Tensor,
        divided: Callable[[int, Callable[[], None]], Iterator[Tensor] | None] = lambda most, check: None,
    ) -> None:
        self._blend, self._encoded, self._penalty_V, self._divided = blend, encoded, penalty_V, divided
        self._column_V = torch.cumsum(penalty_V == 0, 0) - 1  # of each id that can be predicted
        self._n_ids = int((penalty_V == 0).sum())
        self.word_V = None if blend.word_V is None else blend.word_V[penalty_V == 0]
        self._most, self._looked = -1, list[_Looked]()
        self._nodes: tuple[Tensor, Tensor] | None = None  # after the last batch that was looked up

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._encoded)

    def sample(self, most: int, check: Callable[[], None]) -> Predictions:
        """Return the predictions that a gate is fitted to, of records evenly spaced in the order of their lengths.

        Of a long text, they are those of the beginnings of its lanes, which lie all over it.

        Args:
            most: limit on the records, as ``held_out_loss`` has it.
            check: called before each batch; may raise to stop.
        """
        wanted, every, thin = most_symbols(self._n_ids), 1, 1
        if isinstance(self._encoded, Encoded):
            n_records = min(most, len(self._encoded))
            n_symbols = len(self._encoded.flat) * n_records // len(self._encoded)
            every = min(max(1, -(-n_symbols // wanted)), max(1, n_records // LEAST_RECORDS))
            thin = max(1, n_symbols // every // wanted)
        found, n_seen, n_found = list[Predictions](), 0, 0
        state: State = None
        nodes = None
        with evaluation_mode(self._blend):
            for held_out in held_out_batches(self._encoded, most):
                check()
                first = (every // 2 - n_seen) % every
                batch = held_out._replace(
                    ids_BT=held_out.ids_BT[first::every], targets_BT=held_out.targets_BT[first::every]
                ).to(self._penalty_V.device)
                if len(batch.ids_BT):
                    log_probs_NV, state = log_probs_of(self._blend.network, batch, self._penalty_V, state)
                    looked, nodes = self._look(batch, nodes)
                    thinned = slice(None, None, max(thin, len(log_probs_NV) // wanted))
                    looked, log_probs_NV = looked.take(thinned), log_probs_NV[thinned]
                    ngram_NV, features_NF = self._complete(looked, log_probs_NV)
                    record_N = n_seen + first + every * looked.row_N
                    found.append(Predictions(log_probs_NV, ngram_NV, looked.target_N, features_NF, record_N))
                    n_found += len(record_N)
                n_seen += len(held_out.ids_BT)
                if isinstance(self._encoded, Stream) and n_found >= wanted:
                    break
        return Predictions(
            torch.cat([one.network_NV for one in found]),
            torch.cat([one.ngram_NV for one in found]),
            torch.cat([one.target_N for one in found]),
            np.concatenate([one.features_NF for one in found]),
            np.concatenate([one.record_N for one in found]),
        )

    def measure(self, most: int, gates: Gates, check: Callable[[], None]) -> tuple[Measured, HeldOut]:
        """Return the predictions of at most ``most`` records, and the loss of the network alone.

        Args:
            most: limit on the records, as ``held_out_loss`` has it.
            gates: of the mixture.
            check: called before each batch; may raise to stop.
        """
        if most != self._most:
            self._most, self._looked, self._nodes = most, [], None
        found: list[Floats] = [np.empty((4, 0))]
        n_chars = n_records = n_rows = 0
        with evaluation_mode(self._blend):
            for looked, log_probs_NV, batch in self._batches(most, check):
                record_N = n_rows + looked.row_N
                found.append(np.concatenate((self._measured(looked, log_probs_NV, gates, record_N), record_N[None])))
                n_chars += batch.n_chars
                n_records += batch.n_records
                n_rows += len(batch.ids_BT)
        network_N, ngram_N, mixed_N, record_N = np.concatenate(found, 1)
        nats, n_targets = -float(network_N.sum()), len(network_N)
        alone = HeldOut(nats / n_targets, bits_per_char(nats, n_chars, n_records), n_records, n_targets)
        return Measured(network_N, ngram_N, mixed_N, record_N.astype(np.int64)), alone

    def _batches(self, most: int, check: Callable[[], None]) -> Iterator[tuple[_Looked, Tensor, Batch]]:
        """Yield what the counts know of each batch, the log probabilities by the network, and the batch."""
        divided = self._divided(most, check)
        state: State = None
        for number, held_out in enumerate(held_out_batches(self._encoded, most)):
            if divided is None:
                check()
            batch = held_out.to(self._penalty_V.device)
            if number == len(self._looked):
                looked, self._nodes = self._look(batch, self._nodes)
                self._looked.append(looked)
            if divided is None:
                log_probs_NV, state = log_probs_of(self._blend.network, batch, self._penalty_V, state)
            else:
                log_probs_NV = next(divided).to(self._penalty_V.device)
            yield self._looked[number], log_probs_NV, batch

    def _look(self, batch: Batch, nodes: tuple[Tensor, Tensor] | None) -> tuple[_Looked, tuple[Tensor, Tensor]]:
        """Return what the counts know of a batch, and node and position after it, from those before it."""
        if nodes is None or not batch.continues:
            _, *begin, _ = self._blend.initial_state(len(batch.ids_BT))
            nodes = begin[0], begin[1]
        node_BT, position_BT = self._blend.path(batch.ids_BT, *nodes)
        known_BT = batch.targets_BT != PAD
        node_N = node_BT[known_BT]
        features_NF = np.ones((len(node_N), N_FEATURES), dtype=np.float32)
        features_NF[:, :-4] = node_features(self._blend.graph, node_N.cpu().numpy())
        features_NF[:, -2] = np.log1p(position_BT[known_BT].cpu().numpy())
        row_N = known_BT.nonzero()[:, 0].cpu().numpy()
        looked = _Looked(node_N, self._column_V[batch.targets_BT[known_BT]], features_NF, row_N)
        return looked, (node_BT[:, -1], position_BT[:, -1])

    def _complete(self, looked: _Looked, log_probs_NV: Tensor) -> tuple[Tensor, Floats]:
        """Return the log probabilities by the counts, and the features with those of the network."""
        ngram_NV = self._blend.ngram_log_probs(looked.node_N)[:, self._penalty_V == 0]
        features_NF = looked.features_NF.copy()
        features_NF[:, -4] = entropy(log_probs_NV, log_probs_NV.exp()).cpu().numpy()
        features_NF[:, -3] = log_probs_NV.amax(-1).cpu().numpy()
        return ngram_NV, features_NF

    def _measured(self, looked: _Looked, log_probs_NV: Tensor, gates: Gates, record_N: Integers) -> Floats:
        """Return the log probabilities of the targets of a batch by network, counts and both, (3, N)."""
        found: list[Floats] = [np.empty((3, 0))]
        size = max(1, _PROBABILITIES // self._n_ids)
        word_V = self.word_V if gates.weights_GEF.shape[1] > 2 else None
        for start in range(0, len(record_N), size):
            piece = slice(start, start + size)
            part = looked.take(piece)
            network_NV = log_probs_NV[piece]
            ngram_NV, features_NF = self._complete(part, network_NV)
            exponents_NE = exponents(features_NF, gates.of_records(record_N[piece])).to(network_NV.device)
            three = (network_NV, ngram_NV, mix(network_NV, ngram_NV, exponents_NE, word_V=word_V))
            own_3N = torch.stack([each_NV.gather(1, part.target_N[:, None])[:, 0] for each_NV in three])
            found.append(own_3N.double().cpu().numpy())
        return np.concatenate(found, 1)


def may_repeat(encoded: Encoded | Stream) -> bool:
    """Return whether enough held-out symbols may be repetitions; those of a long text always may.

    Short names hardly ever repeat four letters. Where one symbol in 2,000 may be a repetition, its loss would have to
    be four times that of the others, and vanish, for the gain of 0.2% that decides on mixing.

    Args:
        encoded: the held-out part.
    """
    if isinstance(encoded, Stream):
        return True
    every = max(1, min(-(-len(encoded.flat) // _REPEAT_IDS), len(encoded) // _FEWEST_RECORDS))
    rows = range(0, len(encoded), every)
    starts = encoded.starts_N
    records = [encoded.flat[starts[row] : starts[row] + encoded.lengths_N[row]].tolist() for row in rows]
    return sum(map(count_matches, records)) >= _FEWEST_MATCHES * sum(map(len, records))


def observe_repeats(repeats: Repeats, encoded: Encoded | Stream, most: int, check: Callable[[], None]) -> Observed:
    """Return the predictions of held-out symbols by what their records repeat and by the model without that.

    Some of the held-out records stand for all: about 20,000 symbols, of records evenly spaced, or of stretches of a
    long text.

    Args:
        repeats: the model with what records repeat; its gate has no say.
        encoded: the held-out part.
        most: limit on the records, as ``held_out_loss`` has it.
        check: called before each batch; may raise to stop.
    """
    if isinstance(encoded, Encoded):
        most, every = min(most, max(_FEWEST_RECORDS, _REPEAT_IDS * len(encoded) // len(encoded.flat))), 1
    else:
        every = _LANES_APART
    found, state, n_records, n_ids = list[Observed](), None, 0, 0
    with evaluation_mode(repeats):
        for held_out in held_out_batches(encoded, most):
            check()
            ids_BT, targets_BT = held_out.ids_BT[::every], held_out.targets_BT[::every]
            batch = held_out._replace(ids_BT=ids_BT, targets_BT=targets_BT).to(repeats.penalty_V.device)
            state = state if batch.continues else repeats.initial_state(len(ids_BT))
            own_N, model_N, features_NG, state = repeats.observe(batch, state)
            record_N = (targets_BT != PAD).nonzero()[:, 0].numpy() + n_records
            n_records, n_ids = n_records + len(ids_BT), n_ids + len(own_N)
            found.append(Observed(own_N.numpy(), model_N.numpy(), features_NG.numpy(), record_N))
            if every > 1 and n_ids >= _REPEAT_IDS:
                break
    return Observed.joined(found)


def log_probs_of(model: Any, batch: Batch, penalty_V: Tensor, state: State = None) -> tuple[Tensor, State]:
    """Return the log probabilities of all ids that can be predicted, for each target of a batch.

    Args:
        model: implements :class:`seqgen.Model`.
        batch: ids and targets, on the model's device.
        penalty_V: the result of ``seqgen.evaluation.penalty``, there too.
        state: the state after the previous batch; ignored by a batch that does not continue it.

    Returns:
        These (N, V), at least ``FLOOR``, and the state after the batch.
    """
    start = state if batch.continues else model.initial_state(len(batch.ids_BT))
    logits_BTV, state = model(batch.ids_BT, start)
    logits_NV = logits_BTV[batch.targets_BT != PAD][:, penalty_V == 0].float()
    return torch.log_softmax(logits_NV, -1).clamp_(min=FLOOR), state
