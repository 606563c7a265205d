"""Graphs of states: which are known, from which an end can be reached, and in how many steps.

Dimension letters: S states, C edges from a state at most, E edges, F states in front.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

NEVER = 2**15 - 1
"""The distance from what cannot be reached."""
_FEW = 4096  # new numbers, at least, before they are merged with the others


class IntSet:
    """A growing set of numbers, in two sorted arrays of which the one that grows often is small.

    Args:
        codes: the first ones, sorted.
    """

    def __init__(self, codes: Ints) -> None:
        self._old, self._new = codes, codes[:0]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._old) + len(self._new)

    def add(self, codes: Ints) -> Ints:
        """Add numbers; return those that are not negative and were not known, sorted."""
        codes = np.unique(codes)
        codes = codes[np.searchsorted(codes, 0) :]
        for known in (self._old, self._new):
            if len(known):
                places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
                codes = codes[known[places] != codes]
        self._new = np.sort(np.concatenate((self._new, codes)), kind="stable")
        if len(self._new) > max(_FEW, len(self._old)):
            self._old, self._new = np.sort(np.concatenate((self._old, self._new)), kind="stable"), codes[:0]
        return codes


class Edges:
    """The edges of a graph, found by where they lead.

    Args:
        next_SC: where each edge of each state leads; -1: nowhere.
    """

    def __init__(self, next_SC: npt.NDArray[np.int32]) -> None:
        self._n_states = len(next_SC)
        from_E, edge_E = np.nonzero(next_SC >= 0)
        to_E = next_SC[from_E, edge_E]
        self._n_out_S = np.bincount(from_E, minlength=self._n_states)
        self._from_E = from_E[np.argsort(to_E, kind="stable")]
        self._first_S = np.concatenate(([0], np.cumsum(np.bincount(to_E, minlength=self._n_states))))

    def _before(self, front_F: Ints) -> Ints:
        """The states from which edges lead to some others, once for each edge."""
        counts_F = self._first_S[front_F + 1] - self._first_S[front_F]
        shift_F = self._first_S[front_F] - np.concatenate(([0], np.cumsum(counts_F)[:-1]))
        return self._from_E[np.repeat(shift_F, counts_F) + np.arange(int(counts_F.sum()))]

    def distances(self, accepts_S: npt.NDArray[np.bool_]) -> Ints:
        """Return the least edges from each state to one that accepts, ``NEVER`` where there is no way."""
        distance_S = np.where(accepts_S, 0, NEVER)
        front_F = np.flatnonzero(accepts_S)
        for distance in range(1, NEVER):
            before = self._before(front_F) if len(front_F) else front_F
            front_F = np.unique(before[distance_S[before] == NEVER])
            if not len(front_F):
                break
            distance_S[front_F] = distance
        return distance_S

    def endless(self) -> npt.NDArray[np.bool_]:
        """Return from which states one can go on for ever."""
        n_out_S = self._n_out_S.copy()
        front_F = np.flatnonzero(n_out_S == 0)
        while len(front_F):
            before, n_edges = np.unique(self._before(front_F), return_counts=True)
            n_out_S[before] -= n_edges
            front_F = before[n_out_S[before] == 0]
        return n_out_S > 0
