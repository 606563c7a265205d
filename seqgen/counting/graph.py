"""N-gram counts as a graph: nodes are contexts, and an arc leads from a context and a symbol to the next context.

A distribution of the n-gram depends only on the longest suffix of the history that occurred as a context, so one node
is all that a reader of a sequence has to remember.

Where only some contexts can be kept, those that occur most predict more than all contexts up to some length: a long one
that is frequent is worth more than many short ones that hardly occur.

Dimension letters: R nodes, A arcs, V ids, G grams of one order, D nodes with a row in a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.counting.kneser_ney import Counted, Order, Records
from seqgen.encoding import ranges
from seqgen.tokenizers import BOS

if TYPE_CHECKING:
    from seqgen.protocols import Floats, Integers


ARRAY_TYPES = {
    "shorter_R": np.int32,
    "mass_R": np.float32,
    "total_R": np.float32,
    "entropy_R": np.float32,
    "length_R": np.uint8,
    "keys_A": np.int64,
    "probs_A": np.float32,
    "next_A": np.int32,
    "base_V": np.float32,
}
"""The types of the arrays of a graph, by name."""
_ARCS = 1 << 18  # whose share of the entropy is computed together


@dataclass(frozen=True)
class Graph:
    """The counts of an n-gram. Node 0 is the empty context; the others follow by length.

    Attributes:
        shorter_R: the node of each node's context without its first symbol.
        mass_R: the share of the probability that each node leaves to its shorter node.
        total_R: c_k(h) of each node.
        entropy_R: the entropy of each node's distribution, nats.
        length_R: the number of symbols of each context.
        keys_A: node x V + id of each arc, ascending.
        probs_A: the probability that each arc adds to the share of the shorter node.
        next_A: the node that each arc leads to.
        base_V: the distribution below the empty context: 1 / (number of ids that may be predicted), or 0.
        begin: the node after the mark before a record; 0 in a long text.
        order: n.
    """

    shorter_R: Integers
    mass_R: Floats
    total_R: Floats
    entropy_R: Floats
    length_R: Integers
    keys_A: Integers
    probs_A: Floats
    next_A: Integers
    base_V: Floats
    begin: int
    order: int

    @property
    def n_nodes(self) -> int:
        """R."""
        return len(self.mass_R)

    @property
    def n_ids(self) -> int:
        """V."""
        return len(self.base_V)

    def level(self, length: int) -> slice:
        """Return the nodes of a length."""
        return slice(*np.searchsorted(self.length_R, [length, length + 1]).tolist())

    def arcs(self, nodes: slice) -> slice:
        """Return the arcs of nodes that follow one another."""
        return slice(*np.searchsorted(self.keys_A, [nodes.start * self.n_ids, nodes.stop * self.n_ids]).tolist())

    def arcs_of(self, nodes: Integers) -> tuple[Integers, Integers]:
        """Return the place among some nodes of the source of each of their arcs, and the arcs."""
        starts, ends = (np.searchsorted(self.keys_A, (nodes + more).astype(np.int64) * self.n_ids) for more in (0, 1))
        counts = ends - starts
        return np.repeat(np.arange(len(nodes)), counts), ranges(starts, counts)


def build_graph(records: Records, orders: list[Order], counted: list[Counted], base_V: Floats) -> Graph:
    """Return the graph of counts.

    Args:
        records: the records that were counted.
        orders: their grams of 0 to n symbols; the list is emptied, since it may take much memory.
        counted: the counts of 1 to n symbols; emptied too.
        base_V: the distribution below the empty context.
    """
    graph = _without_entropies(records, orders, counted, base_V)
    orders.clear()
    graph.entropy_R[:] = _entropies(graph)
    return graph


def _without_entropies(records: Records, orders: list[Order], counted: list[Counted], base_V: Floats) -> Graph:
    """Return a graph without entropies; what is in it already is dropped, since both would be twice the memory."""
    node_of = _number_nodes(records, orders, counted)
    n_ids, order = len(base_V), len(counted)
    n_nodes = 1 + max(int(nodes_G.max(initial=-1)) for nodes_G in node_of)
    n_arcs = sum(int(np.count_nonzero(records.depth_S[here.end_G])) for here in orders[1 : order + 1])
    sizes = {"R": n_nodes, "A": n_arcs, "V": n_ids}
    arrays: dict[str, Any] = {name: np.zeros(sizes[name[-1]], dtype=dtype) for name, dtype in ARRAY_TYPES.items()}
    arrays["base_V"][:] = base_V
    next_G: Integers = np.zeros(1, dtype=np.int32)
    begin = first_node = first_arc = 0
    while counted:
        below, here, counts = orders.pop(0), orders[0], counted.pop(0)
        contexts = np.flatnonzero(node_of[below.k] >= 0)
        # A context with which a long text begins may have no count: nothing precedes it.
        total_C = np.maximum(counts.total_C, 1)
        nodes = slice(first_node, first_node := first_node + len(contexts))  # contexts are numbered by length
        if below.k:
            arrays["shorter_R"][nodes] = node_of[below.k - 1][below.suffix_G[contexts]]
        arrays["mass_R"][nodes] = np.where(counts.total_C > 0, counts.mass_C / total_C, 1)[contexts]
        arrays["total_R"][nodes] = counts.total_C[contexts]
        arrays["length_R"][nodes] = below.k
        # The longest suffix of a gram that is a context: the gram itself, or that of the gram without its first symbol.
        next_G = next_G[here.suffix_G]
        if here.k < len(node_of):
            next_G = np.where(node_of[here.k] >= 0, node_of[here.k], next_G)
        if not below.k and len(marks := np.flatnonzero(records.depth_S[here.end_G] == 0)):
            begin = int(next_G[marks[0]])
        kept = np.flatnonzero(records.depth_S[here.end_G] > 0)  # arcs without a count lead to longer contexts
        context, used = counts.context_G[kept], counts.used_G[kept]
        keys_K = node_of[below.k][context].astype(np.int64) * n_ids + records.ids_S[here.end_G[kept]]
        sorted_K = np.argsort(keys_K)
        arcs = slice(first_arc, first_arc := first_arc + len(kept))
        own = np.maximum(used - counts.discounts[np.minimum(used, 3)], 0) / total_C[context]
        arrays["keys_A"][arcs] = keys_K[sorted_K]
        arrays["probs_A"][arcs] = own.astype(np.float32)[sorted_K]
        arrays["next_A"][arcs] = next_G[kept][sorted_K]
        if below.k:
            node_of[below.k - 1] = np.empty(0, dtype=np.int32)
    return Graph(**arrays, begin=begin, order=order)


def _number_nodes(records: Records, orders: list[Order], counted: list[Counted]) -> list[Integers]:
    """Return, for each length below n, the node of each gram; -1 where it is the context of nothing."""
    found: list[Integers] = []
    n_nodes = 0
    for below, here, counts in zip(orders, orders[1:], counted, strict=False):
        is_context_G = np.zeros(len(below.end_G), dtype=np.bool_)
        is_context_G[counts.context_G[records.depth_S[here.end_G] > 0]] = True
        n_contexts = int(is_context_G.sum())
        nodes_G = np.full(len(below.end_G), -1, dtype=np.int32)
        nodes_G[is_context_G] = n_nodes + np.arange(n_contexts)
        n_nodes += n_contexts
        found.append(nodes_G)
    return found


def dense_table(graph: Graph, n_dense: int) -> tuple[Floats, Integers]:
    """Return the distributions (D, V) of the first nodes, and the node (D, V) after each id, which may be any.

    Args:
        graph: the counts.
        n_dense: D, all nodes up to some length.
    """
    return _node_table(graph, np.arange(n_dense), np.arange(graph.n_nodes, dtype=np.int32))


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
    return _node_table(graph, nodes_D, place_R)


def _node_table(graph: Graph, nodes_D: Integers, place_R: Integers) -> tuple[Floats, Integers]:
    """Return the distributions (D, V) of some nodes, and the place (D, V) of the node after each id.

    Args:
        graph: the counts.
        nodes_D: ascending, and with each node its shorter one.
        place_R: of all nodes; that of ``nodes_D`` is their row.
    """
    probs_DV = np.tile(graph.base_V, (len(nodes_D), 1))
    following_DV = np.zeros((len(nodes_D), graph.n_ids), dtype=np.int32)
    for length in range(graph.order):
        here = slice(*np.searchsorted(graph.length_R[nodes_D], [length, length + 1]).tolist())
        nodes = nodes_D[here]
        if length:
            shorter = place_R[graph.shorter_R[nodes]]
            probs_DV[here], following_DV[here] = probs_DV[shorter], following_DV[shorter]
        probs_DV[here] *= graph.mass_R[nodes][:, None]
        rows, arcs = graph.arcs_of(nodes)
        ids = graph.keys_A[arcs] % graph.n_ids
        probs_DV[here.start + rows, ids] += graph.probs_A[arcs]
        following_DV[here.start + rows, ids] = place_R[graph.next_A[arcs]]
    following_DV[:, graph.base_V == 0] = place_R[nodes_D][:, None]  # conditions and padding are not read
    following_DV[:, BOS] = place_R[graph.begin]
    return probs_DV, following_DV


def _entropies(graph: Graph) -> Floats:
    """Return the entropy of each node's distribution, nats.

    With m the share of the shorter node, p' its distribution and p that of the node, which differs from m p' at arcs:
    H(p) = m (H(p') - log m) + sum over arcs of (m p' log m p' - p log p).
    """
    base_V, mass_R = graph.base_V.astype(np.float64), graph.mass_R.astype(np.float64)
    known_A, entropy_R = np.zeros(len(graph.keys_A)), np.zeros(graph.n_nodes)
    below = float(-np.log(base_V[base_V > 0]) @ base_V[base_V > 0])
    for length in range(graph.order):
        level = graph.level(length)
        entropy_R[level] = entropy_R[graph.shorter_R[level]] if length else below
        entropy_R[level] = mass_R[level] * (entropy_R[level] - np.log(mass_R[level]))
        whole = graph.arcs(level)
        for start in range(whole.start, whole.stop, _ARCS):
            arcs = slice(start, min(start + _ARCS, whole.stop))
            source, ids = np.divmod(graph.keys_A[arcs], graph.n_ids)
            shorter = graph.shorter_R[source].astype(np.int64) * graph.n_ids + ids
            before = known_A[np.searchsorted(graph.keys_A, shorter)] if length else base_V[ids]
            left = mass_R[source] * before
            known = known_A[arcs] = left + graph.probs_A[arcs]
            change = np.bincount(source - source[0], left * np.log(left) - known * np.log(known))
            entropy_R[source[0] : source[-1] + 1] += change
    return np.maximum(entropy_R, 0)  # that of a nearly certain symbol is rounded to either side of it


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
