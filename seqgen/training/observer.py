"""The held-out symbols of a run as the gates of its mixture see them.

Dimension letters: B batch, T steps, N symbols, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from seqgen.batches import Batch, Encoded, Stream
from seqgen.counting import N_FEATURES, Blend, Observed, Repeats, entropy, node_features
from seqgen.evaluation import HeldOut, bits_per_char, held_out_batches
from seqgen.model import evaluation_mode
from seqgen.protocols import State
from seqgen.tokenizers import PAD

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

_REPEAT_IDS, _FEWEST_RECORDS = 20_000, 5  # held-out ids, and records, that the gate of what they repeat is fitted to
_LANES_APART = 4  # of the lanes of a long text, each of which is a stretch of it, those that this gate is fitted to
_SYMBOLS = 1 << 14  # whose distributions are looked up together


class Observer:
    """Held-out symbols, whose counts are looked up once.

    Args:
        blend: the network and the counts.
        encoded: the held-out part.
        penalty_V: the result of ``seqgen.evaluation.penalty``, on the model's device.
        divided: returns the result of ``batch_facts`` for each batch of at most so many records, where several
            processes compute them, else None; calls its last argument before each round.
    """

    def __init__(
        self,
        blend: Blend,
        encoded: Encoded | Stream,
        penalty_V: Tensor,
        divided: Callable[[int, Callable[[], None]], Iterator[Tensor] | None] = lambda most, check: None,
    ) -> None:
        self._blend, self._encoded, self._penalty_V, self._divided = blend, encoded, penalty_V, divided
        self._most, self._counts = -1, _nothing()

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._encoded)

    def observe(self, most: int, check: Callable[[], None]) -> tuple[Observed, HeldOut]:
        """Return the predictions of at most ``most`` records, and the loss of the network alone.

        Args:
            most: limit on the records, as ``held_out_loss`` has it.
            check: called before each batch; may raise to stop.
        """
        if most != self._most:
            self._counts = self._look_up(most, check)
            self._most = most
        found: list[Floats] = [np.empty((3, 0))]
        n_chars = n_records = 0
        with evaluation_mode(self._blend):
            for facts_3N, batch in self._facts(most, check):
                found.append(facts_3N.numpy())
                n_chars += batch.n_chars
                n_records += batch.n_records
        network_N, entropy_N, largest_N = np.concatenate(found, 1)
        features_NF = self._counts.features_NF  # whose columns of the network are written anew each time
        features_NF[:, -4], features_NF[:, -3] = entropy_N, largest_N
        observed = Observed(network_N, self._counts.rest_N, features_NF, self._counts.record_N)
        nats, n_targets = -float(network_N.sum()), len(network_N)
        alone = HeldOut(nats / n_targets, bits_per_char(nats, n_chars, n_records), n_records, n_targets)
        return observed, alone

    def _facts(self, most: int, check: Callable[[], None]) -> Iterator[tuple[Tensor, Batch]]:
        """Yield the result of ``batch_facts`` for each batch, with the batch."""
        divided = self._divided(most, check)
        if divided is not None:
            yield from zip(divided, held_out_batches(self._encoded, most), strict=True)
            return
        state: State = None
        for batch in self._batches(most, check):
            facts_3N, state = batch_facts(self._blend.network, batch, self._penalty_V, state)
            yield facts_3N, batch

    def _batches(self, most: int, check: Callable[[], None]) -> Iterator[Batch]:
        for batch in held_out_batches(self._encoded, most):
            check()
            yield batch.to(self._penalty_V.device)

    def _look_up(self, most: int, check: Callable[[], None]) -> Observed:
        """Return what the counts say of each symbol; the columns of the network are empty."""
        blend, graph = self._blend, self._blend.graph
        nodes, positions, ngram, records = [], [], [], []
        n_records = 0
        with torch.inference_mode():
            node_B = position_B = torch.zeros(0, dtype=torch.int64)
            for batch in self._batches(most, check):
                if not batch.continues:
                    _, node_B, position_B, _ = blend.initial_state(len(batch.ids_BT))
                node_BT, position_BT = blend.path(batch.ids_BT, node_B, position_B)
                node_B, position_B = node_BT[:, -1], position_BT[:, -1]
                known_BT = batch.targets_BT != PAD
                node_N, target_N = node_BT[known_BT], batch.targets_BT[known_BT]
                for some_N, targets_N in zip(
                    torch.split(node_N, _SYMBOLS), torch.split(target_N, _SYMBOLS), strict=True
                ):
                    probs_NV = blend.ngram_probs(some_N)
                    ngram.append(probs_NV.gather(1, targets_N[:, None])[:, 0].double().log().cpu().numpy())
                row_BT = torch.arange(len(node_BT), device=node_BT.device)[:, None].expand_as(node_BT)
                records.append(row_BT[known_BT].cpu().numpy() + n_records)
                n_records += len(node_BT)
                nodes.append(node_N.cpu().numpy())
                positions.append(position_BT[known_BT].cpu().numpy())
        features_NF = np.ones((sum(map(len, nodes)), N_FEATURES), dtype=np.float32)
        features_NF[:, :-4] = node_features(graph, np.concatenate(nodes))
        features_NF[:, -2] = np.log1p(np.concatenate(positions))
        return Observed(np.empty(0), np.concatenate(ngram), features_NF, np.concatenate(records))


def _nothing() -> Observed:
    return Observed(np.empty(0), np.empty(0), np.empty((0, N_FEATURES)), np.empty(0, dtype=np.int64))


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
    return Observed(*(np.concatenate([getattr(one, of.name) for one in found]) for of in fields(Observed)))


def batch_facts(model: Any, batch: Batch, penalty_V: Tensor, state: State = None) -> tuple[Tensor, State]:
    """Return, of each target, its log probability, the entropy and the largest log probability, (3, N), on the CPU.

    Args:
        model: implements :class:`seqgen.Model`.
        batch: ids and targets, on the model's device.
        penalty_V: the result of ``seqgen.evaluation.penalty``, there too.
        state: the state after the previous batch; ignored by a batch that does not continue it.

    Returns:
        These, float64, and the state after the batch.
    """
    start = state if batch.continues else model.initial_state(len(batch.ids_BT))
    logits_BTV, state = model(batch.ids_BT, start)
    known_BT = batch.targets_BT != PAD
    log_probs_NV = torch.log_softmax((logits_BTV + penalty_V)[known_BT].float(), -1)
    own_N = log_probs_NV.gather(1, batch.targets_BT[known_BT][:, None])[:, 0]
    entropy_N = entropy(log_probs_NV, log_probs_NV.exp())
    return torch.stack([own_N, entropy_N, log_probs_NV.amax(-1)]).double().cpu(), state
