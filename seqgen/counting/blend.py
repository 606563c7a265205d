"""A network and the counts of an n-gram as one model.

Training records may be made as rare among samples as new ones are (``seqgen.counting.discount``).

The mixture needs the distribution of every symbol, so its logits are log probabilities. Nodes of short contexts have a
row of a table with their whole distribution; those of long contexts add the arcs of the nodes between to it.

Dimension letters: B batch, T steps, V ids, R nodes, D nodes with a row in the table, A arcs, I prefixes of training
records; E exponents, as in ``seqgen.counting.log_linear``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqgen.batches import Encoded, evaluation_batches
from seqgen.counting.discount import build_discount
from seqgen.counting.graph import Graph, dense_table
from seqgen.counting.log_linear import FLOOR, LARGEST, N_LENGTHS, NEUTRAL, as_gate, mix, node_exponents
from seqgen.model import evaluation_mode, make_stepper
from seqgen.protocols import State
from seqgen.tokenizers import BOS, EOS

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Flags, Floats

_MAX_TABLE = 1 << 23  # probabilities in the table
_TINY = torch.finfo(torch.float32).tiny  # keeps logarithms finite


class Blend(nn.Module):
    """A model whose probabilities are p_network^a p_ngram^b / Z; ``seqgen.counting.log_linear`` has the formula.

    Its state is that of the network, the node of the n-gram, the position and the prefix of training records. It has no
    parameters of its own: weights of the gate are fitted by ``cross_fit`` and set by ``set_gate``.

    Args:
        network: implements :class:`seqgen.Model`.
        graph: the counts, of the same ids.
        records: training records whose probability can be lowered, or None.
        gate: as ``set_gate`` has it.
        word_V: True for the symbols of words, for gates that have weights for them; None: it has none such.

    Attributes:
        network: as given.
        graph: as given.
        records: as given.
        has_table: whether the table has the distributions of all nodes.
        counts_positions: whether the gate knows the position in a text, unlike in one long text.
    """

    network: Any  # a model, which mypy would take for a tensor or any module
    probs_DV: Tensor
    following_DV: Tensor
    shorter_R: Tensor
    mass_R: Tensor
    exponents_RE: Tensor
    weights_3E: Tensor
    starts_R: Tensor
    keys_A: Tensor
    probs_A: Tensor
    next_A: Tensor
    penalty_V: Tensor
    word_V: Tensor | None
    change_IV: Tensor | None
    next_IV: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        graph: Graph,
        records: Encoded | None = None,
        gate: npt.ArrayLike = NEUTRAL,
        word_V: Flags | None = None,
    ) -> None:
        super().__init__()
        self.network, self.graph, self.records = network, graph, records
        self.counts_positions = bool(graph.base_V[EOS])  # a long text has no positions
        n_dense = 0
        while n_dense < graph.n_nodes:
            after = graph.level(int(graph.length_R[n_dense])).stop
            if n_dense and after * graph.n_ids > _MAX_TABLE:
                break
            n_dense = after
        self._n_dense, self.has_table = n_dense, n_dense == graph.n_nodes
        probs_DV, following_DV = dense_table(graph, n_dense)
        arrays = {
            "probs_DV": probs_DV,
            "following_DV": following_DV,
            "shorter_R": graph.shorter_R,
            "mass_R": graph.mass_R,
            "starts_R": np.searchsorted(graph.keys_A, np.arange(graph.n_nodes + 1) * graph.n_ids).astype(np.int32),
            "keys_A": graph.keys_A,
            "probs_A": graph.probs_A,
            "next_A": graph.next_A,
            "penalty_V": np.where(graph.base_V > 0, 0, -np.inf).astype(np.float32),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)), persistent=False)
        self.register_buffer("exponents_RE", torch.zeros(graph.n_nodes, 2), persistent=False)
        self.register_buffer("weights_3E", torch.zeros(3, 2), persistent=False)
        self.register_buffer("word_V", None if word_V is None else torch.from_numpy(word_V), persistent=False)
        self.register_buffer("change_IV", None, persistent=False)
        self.register_buffer("next_IV", None, persistent=False)
        self.gate_EF: Floats
        self.set_gate(gate)

    def set_gate(self, weights: npt.ArrayLike) -> None:
        """Set the weights of the gate, (E, F) or all in a row, and lower no probability."""
        self.gate_EF = as_gate(weights)
        self.exponents_RE = torch.from_numpy(node_exponents(self.graph, self.gate_EF)).to(self.mass_R)
        weights_3E = torch.from_numpy(self.gate_EF.T[2 * N_LENGTHS + 1 : -1])  # of what the nodes do not know
        self.weights_3E = weights_3E.to(self.mass_R)
        self.change_IV = self.next_IV = None

    def set_discount(self, factor: float) -> None:
        """Lower the probability of the training records; network and gate must not change afterwards.

        Args:
            factor: the share of their probability that they keep, above 0.
        """
        self.change_IV = self.next_IV = None
        if self.records is None or not len(self.records):
            return
        log_probs: list[Floats] = [np.empty(0)] * len(self.records)
        with evaluation_mode(self):
            for rows_B in evaluation_batches(self.records.lengths_N, len(self.records)):
                batch = self.records.take(rows_B).to(self.penalty_V.device)
                found_BTV, _ = self(batch.ids_BT, self.initial_state(len(rows_B)))
                found_BT = found_BTV.gather(2, batch.targets_BT[..., None])[..., 0].double().cpu().numpy()
                for row, of_row_T in zip(rows_B.tolist(), found_BT, strict=True):
                    log_probs[row] = of_row_T[: int(self.records.lengths_N[row]) - 1]
        unread_V = (self.penalty_V != 0).cpu().numpy()
        change_IV, next_IV = map(torch.from_numpy, build_discount(self.records, log_probs, factor, unread_V))
        self.change_IV, self.next_IV = change_IV.to(self.penalty_V), next_IV.to(self.penalty_V.device)

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first symbol: of the network, the node, the position and the prefix (B,)."""
        nothing_B = torch.zeros(batch_size, dtype=torch.int64, device=self.shorter_R.device)
        return self.network.initial_state(batch_size), nothing_B, nothing_B.clone(), nothing_B.clone()

    def forward(self, ids_BT: Tensor, state: State) -> tuple[Tensor, State]:
        """Return log probabilities (B, T, V) of the next symbol after each id, and the state after the last one."""
        inner, node_B, position_B, prefix_B = state
        logits_BTV, inner = self.network(ids_BT, inner)
        node_BT, position_BT = self.path(ids_BT, node_B, position_B)
        mixed_NV = self._mixed(logits_BTV.flatten(0, 1), node_BT.flatten(), position_BT.flatten())
        if self.change_IV is not None:
            prefixes = []
            for ids_B in ids_BT.unbind(1):
                prefix_B = self._longer(ids_B, prefix_B)
                prefixes.append(prefix_B)
            mixed_NV += self.change_IV.index_select(0, torch.stack(prefixes, 1).flatten())
        return mixed_NV.view_as(logits_BTV), (inner, node_BT[:, -1], position_BT[:, -1], prefix_B)

    def stepper(self) -> Callable[[Tensor, State], tuple[Tensor, State]]:
        """Return a step for sampling; the weights must not change while it is used."""
        network = make_stepper(self.network)

        def step(ids_B: Tensor, state: State) -> tuple[Tensor, State]:
            inner, node_B, position_B, prefix_B = state
            logits_BV, inner = network(ids_B, inner)
            node_B, position_B = self._advance(ids_B, node_B, position_B)
            mixed_BV = self._mixed(logits_BV, node_B, position_B)
            if self.change_IV is not None:
                prefix_B = self._longer(ids_B, prefix_B)
                mixed_BV += self.change_IV.index_select(0, prefix_B)
            return mixed_BV, (inner, node_B, position_B, prefix_B)

        return step

    def _longer(self, ids_B: Tensor, prefix_B: Tensor) -> Tensor:
        """Return the prefixes of training records after ids."""
        assert self.next_IV is not None
        return self.next_IV.view(-1)[prefix_B * self.graph.n_ids + ids_B].long()

    def path(self, ids_BT: Tensor, node_B: Tensor, position_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return nodes and positions after each id, (B, T) each, from those before the first."""
        nodes, positions = [], []
        for ids_B in ids_BT.unbind(1):
            node_B, position_B = self._advance(ids_B, node_B, position_B)
            nodes.append(node_B)
            positions.append(position_B)
        return torch.stack(nodes, 1), torch.stack(positions, 1)

    def _advance(self, ids_B: Tensor, node_B: Tensor, position_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return node and position after ids; conditions and padding change neither."""
        is_symbol_B = self.penalty_V.index_select(0, ids_B) == 0
        position_B = torch.where(ids_B == BOS, 0, position_B + is_symbol_B) if self.counts_positions else position_B
        if self.has_table:
            return self.following_DV.view(-1)[node_B * self.graph.n_ids + ids_B].long(), position_B
        return self._searched(ids_B, node_B), position_B

    def _searched(self, ids_B: Tensor, node_B: Tensor) -> Tensor:
        """Return the nodes after ids: by the arcs of the longest context that has one, or a row of the table."""
        n_ids, last = self.graph.n_ids, len(self.keys_A) - 1
        stays_B = (self.penalty_V.index_select(0, ids_B) != 0) & (ids_B != BOS)
        at_B, found_B = node_B, node_B
        open_B = (at_B >= self._n_dense) & ~stays_B & (ids_B != BOS)
        searched_B = torch.zeros_like(open_B)
        while bool(open_B.any()):
            keys_B = at_B * n_ids + ids_B
            place_B = torch.searchsorted(self.keys_A, keys_B).clamp_(max=last)
            hit_B = (self.keys_A[place_B] == keys_B) & open_B
            found_B = torch.where(hit_B, self.next_A[place_B].long(), found_B)
            searched_B |= hit_B
            at_B = torch.where(open_B & ~hit_B, self.shorter_R[at_B].long(), at_B)
            open_B &= ~hit_B & (at_B >= self._n_dense)
        row_B = torch.where(at_B < self._n_dense, at_B, 0)
        listed_B = self.following_DV.view(-1)[row_B * n_ids + ids_B].long()
        return torch.where(searched_B | stays_B, found_B, listed_B)

    def _mixed(self, logits_NV: Tensor, node_N: Tensor, position_N: Tensor) -> Tensor:
        """Return the log probabilities of the mixture."""
        log_probs_NV = torch.log_softmax(logits_NV.to(self.penalty_V.dtype) + self.penalty_V, -1)
        facts_N3 = torch.stack(
            (
                entropy(log_probs_NV, log_probs_NV.exp()),
                log_probs_NV.amax(-1),
                torch.log1p(position_N.to(self.penalty_V.dtype)),
            ),
            1,
        )
        exponents_NE = self.exponents_RE.index_select(0, node_N) + facts_N3 @ self.weights_3E
        mixed_NV = mix(
            log_probs_NV.clamp(min=FLOOR),
            self.ngram_log_probs(node_N),
            exponents_NE.clamp(0.0, LARGEST),
            self.penalty_V,
            self.word_V if exponents_NE.shape[1] > 2 else None,
        )
        return mixed_NV.clamp(min=FLOOR)

    def ngram_log_probs(self, node_N: Tensor) -> Tensor:
        """Return the logarithms of the distributions (N, V) of nodes, at least ``FLOOR``."""
        return self.ngram_probs(node_N).clamp(min=_TINY).log()

    def ngram_probs(self, node_N: Tensor) -> Tensor:
        """Return the distributions (N, V) of nodes.

        That of a node is its own arcs, and its mass times the distribution of its shorter node: of those that have no
        row in the table, all arcs are added at once, each times the masses of the longer nodes.
        """
        if self.has_table:
            return self.probs_DV.index_select(0, node_N)
        chain = [node_N]
        while bool((chain[-1] >= self._n_dense).any()):
            chain.append(torch.where(chain[-1] >= self._n_dense, self.shorter_R[chain[-1]].long(), chain[-1]))
        probs_NV = self.probs_DV.index_select(0, chain.pop())
        if not chain:
            return probs_NV
        node_NL = torch.stack(chain, 1)  # the longest first
        searched_NL = node_NL >= self._n_dense
        product_NL = torch.where(searched_NL, self.mass_R[node_NL], 1.0).cumprod(1)
        probs_NV *= product_NL[:, -1:]
        longer_NL = torch.cat((torch.ones_like(product_NL[:, :1]), product_NL[:, :-1]), 1)
        rows_M, node_M = searched_NL.nonzero()[:, 0], node_NL[searched_NL]
        starts_M = self.starts_R[node_M].long()
        counts_M = self.starts_R[node_M + 1] - starts_M
        place_A = torch.repeat_interleave(starts_M - counts_M.cumsum(0) + counts_M, counts_M)
        arcs_A = place_A + torch.arange(len(place_A), device=place_A.device)
        cells_A = torch.repeat_interleave(rows_M, counts_M) * self.graph.n_ids + self.keys_A[arcs_A] % self.graph.n_ids
        shares_A = self.probs_A[arcs_A] * torch.repeat_interleave(longer_NL[searched_NL], counts_M)
        if probs_NV.is_cpu:
            probs_NV.view(-1).index_add_(0, cells_A, shares_A)
        else:  # which adds in no fixed order on a GPU, so that rows would differ from call to call
            probs_NV.view(-1).index_put_((cells_A,), shares_A, accumulate=True)
        return probs_NV


def entropy(log_probs_NV: Tensor, probs_NV: Tensor) -> Tensor:
    """Return the entropy of each distribution, (N,) nats; ids that may not be predicted add nothing."""
    return -(probs_NV * log_probs_NV.clamp(min=-1e4)).sum(-1)
