"""The most frequent contexts of an n-gram: a smaller n-gram whose contexts differ in length.

Where only some contexts can be kept, those that occur most predict more than all contexts up to some length: a long one
that is frequent is worth more than many short ones that hardly occur.

Dimension letters: R nodes, A arcs, V ids, D nodes that are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seqgen.counting.graph import Graph, node_table

if TYPE_CHECKING:
    from seqgen.protocols import Floats, Integers


def count_occurrences(graph: Graph) -> Floats:
    """Return how often each context occurs before a symbol, (R,).

    Kneser-Ney counts occurrences for the longest contexts and those that begin a record. Each occurrence of another one
    has a symbol before it, and so is one of a context that is longer by this symbol. That of the beginning of a long
    text is left out.
    """
    length_R, begins_R = graph.length_R.astype(np.int64), np.zeros(graph.n_nodes, dtype=np.bool_)
    begins_R[graph.begin] = graph.begin > 0
    source_A = graph.keys_A // graph.n_ids
    grows_A = length_R[graph.next_A] == length_R[source_A] + 1
    for length in range(graph.order):
        arcs = graph.arcs(graph.level(length))
        found = grows_A[arcs] & begins_R[source_A[arcs]]
        begins_R[graph.next_A[arcs][found]] = True
    times_R = np.where(begins_R | (length_R == graph.order - 1), graph.total_R, 0).astype(np.float64)
    for length in range(graph.order - 1, 0, -1):
        level = graph.level(length)
        times_R += np.bincount(graph.shorter_R[level], times_R[level], graph.n_nodes)
    return times_R


def by_frequency(graph: Graph, least: int = 0) -> Integers:
    """Return the nodes that occur at least so often, and the first; the most frequent first, each after its shorter."""
    times_R = count_occurrences(graph)
    order_R = np.argsort(-times_R, kind="stable")  # of equal ones the shorter comes first
    return order_R[: max(1, int((times_R >= least).sum()))]


def sparse_table(graph: Graph, nodes_D: Integers) -> tuple[Floats, Integers]:
    """Return the distributions (D, V) of some nodes, and the place (D, V) among them of the node after each id.

    A node that is left out stands for its longest suffix that is not.

    Args:
        graph: the counts.
        nodes_D: ascending, and with each node its shorter one.
    """
    place_R = np.full(graph.n_nodes, -1, dtype=np.int32)
    place_R[nodes_D] = np.arange(len(nodes_D))
    for length in range(1, graph.order):
        level = np.arange(graph.n_nodes)[graph.level(length)]
        left_out = level[place_R[level] < 0]
        place_R[left_out] = place_R[graph.shorter_R[left_out]]
    return node_table(graph, nodes_D, place_R)
