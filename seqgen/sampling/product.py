"""Automata over bytes, lifted to the symbols of a vocabulary and multiplied.

Symbols may be of several characters. A state of the product stands for a state of each automaton; only what can be
reached from the prefix is there.

Dimension letters: K states of a part, S states of the product, V vocabulary, F states in front.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seqgen.errors import UsageError
from seqgen.sampling.automata import Automaton
from seqgen.tokenizers import EOS

NEVER = 2**15 - 1
"""The distance from what cannot be reached."""
_MOST_ENTRIES = 40_000_000  # of the product's table: states times symbols


def _lift(part: Automaton, pieces: Sequence[bytes | None]) -> npt.NDArray[np.int32]:
    """The state of an automaton after each id (K, V), -1 where it refuses or the id is none of the pieces."""
    longest = max((len(piece) for piece in pieces if piece is not None), default=0)
    table = np.vstack([part.next_KB, np.full(256, -1, np.int32)])  # -1 leads to the last row, which stays
    states_KV = np.repeat(np.arange(len(part.next_KB), dtype=np.int32)[:, None], len(pieces), 1)
    states_KV[:, [piece is None for piece in pieces]] = -1
    for place in range(longest):
        long_V = [index for index, piece in enumerate(pieces) if piece is not None and len(piece) > place]
        bytes_V = np.array([pieces[index][place] for index in long_V])  # type: ignore[index]
        states_KV[:, long_V] = table[states_KV[:, long_V], bytes_V]
    return states_KV


class Product:
    """Automata multiplied: a state stands for a state of each, and only what can be reached is there.

    Args:
        parts: the automata.
        pieces: the bytes of each id; None: never drawn.
        start: what rows begin with.
        ends: whether rows end by themselves.

    Attributes:
        distance_S: how many symbols are missing at least to an accepted end; empty if the start itself is refused.
            State 0 is where the start leads.
    """

    def __init__(self, parts: Sequence[Automaton], pieces: Sequence[bytes | None], start: bytes, ends: bool) -> None:
        self._ends = ends
        self._drawn_V = [piece is not None for piece in pieces]
        walked = [part.walk(start) for part in parts]
        self.next_SV, accepts_S = np.zeros((0, len(pieces)), np.int32), np.zeros(0, bool)
        if min(walked) >= 0:
            self.next_SV, accepts_S = _explore(parts, [_lift(part, pieces) for part in parts], walked)
        if not ends:
            accepts_S &= _endless(self.next_SV)
        self.distance_S = _distances(self.next_SV, accepts_S)

    def least(self) -> int:
        """The least symbols of a row behind the start."""
        return int(self.distance_S[:1].min(initial=NEVER))

    def tables(self, exact: bool) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]:
        """The next state (S+1, V), and the least symbols to an accepted end from here on, the next one included.

        The last state is for rows that have ended or are given up: only the end can be drawn there.
        """
        n_states, n_ids = self.next_SV.shape
        live_S = np.append(self.distance_S < NEVER, False)  # index -1 is the last
        next_SV = np.where(live_S[self.next_SV], self.next_SV, n_states)
        after_S = np.append(self.distance_S, NEVER)
        distance_SV = np.minimum(after_S[next_SV] + 1, NEVER)
        if self._ends:
            distance_SV[:, EOS] = np.where(self.distance_S == 0, 0, NEVER)
        if exact:  # even what the constraint never allows: forbidding it would change the distribution of the rest
            distance_SV[:, self._drawn_V] = 0
            distance_SV[:, EOS] = 0 if self._ends else NEVER
        sink_1V = np.full((1, n_ids), NEVER)
        sink_1V[0, EOS] = 0
        next_SV = np.vstack([next_SV, np.full((1, n_ids), n_states)])
        return next_SV.astype(np.int32), np.vstack([distance_SV, sink_1V]).astype(np.int16)


def why_not(parts: Sequence[Automaton], pieces: Sequence[bytes | None], start: bytes, n_left: int, ends: bool) -> str:
    """Why no row of at most ``n_left`` more symbols satisfies all parts, by a few that cannot be together."""

    def least(some: Sequence[Automaton]) -> int:
        return Product(some, pieces, start, ends).least()

    core = list(parts)
    for part in parts:
        fewer = [other for other in core if other is not part]
        if fewer and least(fewer) > n_left:
            core = fewer
    names = " and ".join(part.name for part in core)
    if (needed := least(core)) < NEVER:
        return f"{names} needs {needed} more symbols, and --max-length leaves {max(n_left, 0)}"
    if len(core) > 1:
        return f"{names} exclude each other"
    if core[0].walk(start) < 0:
        return f"that breaks {names}"
    return f"the symbols of this run cannot write what is asked by {names}"


def _explore(
    parts: Sequence[Automaton], lifted: Sequence[npt.NDArray[np.int32]], start: Sequence[int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """The states of the product that can be reached, breadth first.

    Returns:
        The next state of each (S, V), -1 where a part refuses; and whether all parts accept (S,).
    """
    sizes = [len(part.next_KB) for part in parts]
    radix = [math.prod(sizes[:place]) for place in range(len(sizes))]
    if radix[-1] * sizes[-1] >= 2**62:
        raise UsageError("the constraint is too large: ask for less at once")
    front_F = np.array([sum(state * unit for state, unit in zip(start, radix, strict=True))], dtype=np.int64)
    codes, rows = front_F, []
    while len(front_F):
        if len(codes) * lifted[0].shape[1] > _MOST_ENTRIES:
            raise UsageError("the constraint is too large for this vocabulary: ask for less, or for shorter rows")
        next_FV = np.zeros((len(front_F), lifted[0].shape[1]), np.int64)
        refused_FV = np.zeros(next_FV.shape, bool)
        for part_KV, unit, size in zip(lifted, radix, sizes, strict=True):
            after_FV = part_KV[front_F // unit % size]
            refused_FV |= after_FV < 0
            next_FV += after_FV.astype(np.int64) * unit
        next_FV[refused_FV] = -1
        rows.append(next_FV)
        front_F = np.setdiff1d(next_FV[next_FV >= 0], codes)
        codes = np.concatenate([codes, front_F])
    order = np.argsort(codes)
    next_SV = np.concatenate(rows)
    places = order[np.minimum(np.searchsorted(codes, next_SV, sorter=order), len(codes) - 1)]
    accepts_S = np.ones(len(codes), bool)
    for part, unit, size in zip(parts, radix, sizes, strict=True):
        accepts_S &= part.accepts_K[codes // unit % size]
    return np.where(next_SV < 0, -1, places).astype(np.int32), accepts_S


def _endless(next_SV: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """States from which one can go on for ever, for rows that do not end."""
    live_S = np.ones(len(next_SV), bool)
    while True:
        still_S = live_S & np.append(live_S, False)[next_SV].any(1)
        if still_S.sum() == live_S.sum():
            return live_S
        live_S = still_S


def _distances(next_SV: npt.NDArray[np.int32], accepts_S: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The least symbols from each state to one that accepts."""
    distance_S = np.where(accepts_S, 0, NEVER)
    reached_S = np.append(accepts_S, False)  # index -1 is the last: never reached
    for distance in itertools.count(1):
        open_S = np.flatnonzero(~reached_S[:-1])
        new_S = open_S[reached_S[next_SV[open_S]].any(1)]
        if not len(new_S) or distance >= NEVER:
            return distance_S
        distance_S[new_S] = distance
        reached_S[new_S] = True
    raise AssertionError
