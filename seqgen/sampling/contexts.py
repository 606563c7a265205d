"""Contexts of the future: what the next symbol depends on under a model that can be summed over (``look_ahead``).

A context is what is remembered of a row: the last symbols, in an n-gram, or the state of a domain's automaton, such as
the brackets that are open, whose symbols are counted in rows of the model.

Dimension letters: D contexts, V ids, S states, N rows, T positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.counting import Graph, sparse_table
from seqgen.sampling.product import RowAutomaton
from seqgen.tokenizers import BOS, EOS

if TYPE_CHECKING:
    import numpy.typing as npt

_FEW = 1e-12  # the least share of a symbol, so that none is ruled out by rounding
_UNSEEN = 0.5  # times that an id is taken to have been seen, in all states, if it was not
_OF_ALL = 1.0  # ids that the distribution of all states adds to the counts of one
_RARE = 2e-4  # share of an id in all states, up to which no state makes it rarer than that


@dataclass(frozen=True)
class Contexts:
    """Distributions of the next id, by context.

    Attributes:
        probs_DV: the distributions.
        following_DV: the context after each id.
        begin: the context at the beginning of a row.
        times_D: how often each context occurs; None where the state of a constraint implies it.
    """

    probs_DV: npt.NDArray[np.floating[Any]]
    following_DV: npt.NDArray[np.integer[Any]]
    begin: int
    times_D: npt.NDArray[np.floating[Any]] | None = None

    def at_temperature(self, temperature: float, allowed_V: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Return the distributions of allowed ids, raised to 1 / temperature, (D, V)."""
        log_DV = np.log(np.maximum(self.probs_DV.astype(np.float64), _FEW)) / temperature
        log_DV[:, ~allowed_V] = -np.inf
        probs_DV: npt.NDArray[np.float64] = np.exp(log_DV - log_DV.max(1, keepdims=True))
        probs_DV /= probs_DV.sum(1, keepdims=True)
        return probs_DV

    def after(self, prefix: list[int]) -> int:
        """Return the context after the beginning of a row."""
        context = self.begin
        for id_ in prefix:
            context = int(self.following_DV[context, id_])
        return context


def contexts_of(graph: Graph, nodes_D: npt.NDArray[np.integer[Any]]) -> Contexts:
    """Return some contexts of an n-gram, in any order, each with its shorter one."""
    nodes_D = np.sort(nodes_D)
    probs_DV, following_DV = sparse_table(graph, nodes_D)
    return Contexts(probs_DV, following_DV, int(following_DV[0, BOS]), graph.total_R[nodes_D] + 1.0)


def contexts_by_state(
    automaton: RowAutomaton, flat: npt.NDArray[np.int32], lengths_N: npt.NDArray[np.int64]
) -> Contexts:
    """Return the states of an automaton as contexts, with the distributions that rows have in them.

    An id that was hardly ever seen has in no state a lower probability than in all, since a few rows cannot tell where
    it occurs: with next to none, look-ahead would never wait for it, and trial rows would not show what is missed.

    Args:
        automaton: in state 0 before the first symbol of a row.
        flat: the symbols of rows together.
        lengths_N: of the rows.
    """
    next_SV = automaton.next_SC[:, automaton.class_V]
    n_states, n_ids = next_SV.shape
    counts_SV = np.zeros((n_states, n_ids))
    starts_N = np.concatenate(([0], np.cumsum(lengths_N)[:-1]))
    state_N = np.zeros(len(lengths_N), dtype=np.int64)
    padded = np.append(flat, EOS)
    for at in range(int(lengths_N.max(initial=0)) + 1):
        here_N = np.flatnonzero(lengths_N >= at)
        ids = np.where(lengths_N[here_N] > at, padded[np.minimum(starts_N[here_N] + at, len(flat))], EOS)
        np.add.at(counts_SV, (state_N[here_N], ids), 1)
        state_N[here_N] = next_SV[state_N[here_N], ids]
    all_V = np.where(automaton.allowed_V, np.maximum(counts_SV.sum(0), _UNSEEN), 0)
    all_V /= all_V.sum()
    probs_SV = np.where(automaton.allowed_V, counts_SV + _OF_ALL * all_V, 0)
    probs_SV /= probs_SV.sum(1, keepdims=True)
    probs_SV = np.maximum(probs_SV, np.where(all_V <= _RARE, all_V, 0))
    return Contexts(probs_SV / probs_SV.sum(1, keepdims=True), next_SV, 0)
