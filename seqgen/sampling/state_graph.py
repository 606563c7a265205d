"""Graphs of automaton states: sets of visited states, and distances to an accepting state.

Dimension letters: S states, C edges from a state at most, E edges, F states of the frontier.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

UNREACHABLE = 2**15 - 1
"""The distance of a state from which no accepting state can be reached."""
_BATCH_SIZE = 1_000_000  # edges followed in one call
_MIN_MERGE = 4096  # members of the small array up to which it is never merged into the large one


class IntSet:
    """A growing set of integers in two sorted arrays, of which the one that grows often is small.

    Args:
        codes: the initial members, sorted.
    """

    def __init__(self, codes: Ints) -> None:
        self._old, self._new = codes, codes[:0]

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self._old) + len(self._new)

    def members(self) -> Ints:
        """Return the members, sorted."""
        return np.sort(np.concatenate((self._old, self._new)), kind="stable")

    def add(self, codes: Ints) -> Ints:
        """Add integers; return the non-negative ones that were not members yet, sorted."""
        codes = np.unique(codes)
        codes = codes[np.searchsorted(codes, 0) :]
        for array in (self._old, self._new):
            if len(array):
                places = np.minimum(np.searchsorted(array, codes), len(array) - 1)
                codes = codes[array[places] != codes]
        self._new = np.sort(np.concatenate((self._new, codes)), kind="stable")
        if len(self._new) > max(_MIN_MERGE, len(self._old)):
            self._old, self._new = np.sort(np.concatenate((self._old, self._new)), kind="stable"), codes[:0]
        return codes


class Edges:
    """The edges of a graph, indexed by target.

    Args:
        next_SC: the target of each edge of each state; -1: no edge.
    """

    def __init__(self, next_SC: npt.NDArray[np.int32]) -> None:
        is_edge_SC = next_SC >= 0
        self._n_out_S: Ints = is_edge_SC.sum(1)
        edges_E = next_SC[is_edge_SC].astype(np.int64)
        self._first_S = np.concatenate(([0], np.cumsum(np.bincount(edges_E, minlength=len(next_SC)))))
        edges_E <<= 32
        edges_E |= np.repeat(np.arange(len(next_SC), dtype=np.int32), self._n_out_S)
        edges_E.sort()  # by target; in place, unlike an order to sort by
        self._from_E = edges_E.astype(np.int32)  # the lower half

    def _predecessors(self, frontier_F: Ints) -> Iterator[Ints]:
        """Yield the sources of all edges into some states, once per edge, some at a time."""
        counts_F = self._first_S[frontier_F + 1] - self._first_S[frontier_F]
        ends_F = np.cumsum(counts_F)
        shift_F = self._first_S[frontier_F] - (ends_F - counts_F)
        n_edges = int(ends_F[-1]) if len(ends_F) else 0
        for first in range(0, n_edges, _BATCH_SIZE):
            edges = np.arange(first, min(first + _BATCH_SIZE, n_edges))
            edges += shift_F[np.searchsorted(ends_F, edges, side="right")]
            yield self._from_E[edges].astype(np.int64)

    def distances(self, accepts_S: npt.NDArray[np.bool_]) -> Ints:
        """Return the least number of edges from each state to an accepting one, or ``UNREACHABLE``."""
        distance_S = np.where(accepts_S, 0, UNREACHABLE)
        frontier_F = np.flatnonzero(accepts_S)
        for distance in range(1, UNREACHABLE):
            found = [frontier_F[:0]]
            for sources in self._predecessors(frontier_F):
                found.append(np.unique(sources[distance_S[sources] == UNREACHABLE]))
                distance_S[found[-1]] = distance
            frontier_F = np.concatenate(found)
            if not len(frontier_F):
                break
        return distance_S

    def endless(self) -> npt.NDArray[np.bool_]:
        """Return from which states there are walks without end."""
        n_out_S = self._n_out_S.copy()
        frontier_F = np.flatnonzero(n_out_S == 0)
        while len(frontier_F):
            found = [frontier_F[:0]]
            for edges in self._predecessors(frontier_F):
                sources, n_edges = np.unique(edges, return_counts=True)
                n_out_S[sources] -= n_edges
                found.append(sources[n_out_S[sources] == 0])
            frontier_F = np.concatenate(found)
        return n_out_S > 0
