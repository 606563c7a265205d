"""Automata over bytes, lifted to the symbols of a vocabulary and multiplied.

Symbols may be of several characters. A state of the product stands for a state of each automaton; only what can be
reached from the prefix is there.

Dimension letters: K states of a part, S states of the product, V vocabulary, C classes of symbols that all parts treat
alike, F states in front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seqgen.errors import UsageError
from seqgen.sampling.automata import Automaton
from seqgen.sampling.state_graph import NEVER, Edges, IntSet
from seqgen.tokenizers import EOS

MAX_ENTRIES = 10_000_000
"""Transitions of a product, at most: states times classes of symbols that all automata treat alike."""
_MAX_TABLE = 40_000_000  # of a table: states times symbols
_TOGETHER = 1_000_000  # transitions that are computed in one go
_LESS = "ask for less at once, or for shorter texts"


def _lift(part: Automaton, pieces: Sequence[bytes | None]) -> npt.NDArray[np.int32]:
    """The state of an automaton after each id (K, V), -1 where it refuses or the id is none of the pieces."""
    if len(part.next_KB) * len(pieces) > _MAX_TABLE:
        raise UsageError(
            f"cannot ask for {part.name}: its {len(part.next_KB):,} states times {len(pieces):,} symbols are more than "
            f"{_MAX_TABLE:,}, the limit; {_LESS}"
        )
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
        self._class_V, accepts_S = np.zeros(len(pieces), np.intp), np.zeros(0, bool)
        self._next_SC = np.zeros((0, 1), np.int32)
        if min(walked) >= 0:
            lifted = [_lift(part, pieces) for part in parts]
            first_C, self._class_V = _classes(lifted)
            self._next_SC, accepts_S = _explore(parts, [part_KV[:, first_C] for part_KV in lifted], walked)
        edges = Edges(self._next_SC)
        if not ends:
            accepts_S &= edges.endless()
        self.distance_S = edges.distances(accepts_S)

    def least(self) -> int:
        """The least symbols of a row behind the start."""
        return int(self.distance_S[:1].min(initial=NEVER))

    def tables(self, exact: bool) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]:
        """The next state (S+1, V), and the least symbols to an accepted end from here on, the next one included.

        The last state is for rows that have ended or are given up: only the end can be drawn there.
        """
        n_states, n_ids = len(self._next_SC), len(self._class_V)
        if n_states * n_ids > _MAX_TABLE:
            raise UsageError(
                f"cannot ask for so much: the automaton has {n_states:,} states, which times {n_ids:,} symbols is more "
                f"than {_MAX_TABLE:,}, the limit; {_LESS}"
            )
        live_S = np.append(self.distance_S < NEVER, False)  # index -1 is the last
        next_SC = np.where(live_S[self._next_SC], self._next_SC, np.int32(n_states))
        after_S = np.append(self.distance_S, NEVER).astype(np.int16)
        distance_SC = np.minimum(after_S[next_SC], NEVER - 1) + np.int16(1)
        next_SV, distance_SV = (np.take(of_SC, self._class_V, 1) for of_SC in (next_SC, distance_SC))
        if self._ends:
            distance_SV[:, EOS] = np.where(self.distance_S == 0, 0, NEVER)
        if exact:  # even what the constraint never allows: forbidding it would change the distribution of the rest
            distance_SV[:, self._drawn_V] = 0
            distance_SV[:, EOS] = 0 if self._ends else NEVER
        sink_1V = np.full((1, n_ids), NEVER, np.int16)
        sink_1V[0, EOS] = 0
        next_SV = np.vstack([next_SV, np.full((1, n_ids), n_states, np.int32)])
        return next_SV, np.vstack([distance_SV, sink_1V])


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


def _classes(lifted: Sequence[npt.NDArray[np.int32]]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """One id (C,) of each class, and the class of each id (V,): ids of a class lead to the same states everywhere."""
    columns = [np.ascontiguousarray(part_KV.T) for part_KV in lifted]
    class_of: dict[tuple[bytes, ...], int] = {}
    first: list[int] = []
    class_V = np.empty(len(columns[0]), np.intp)
    for index in range(len(class_V)):
        key = tuple(column_VK[index].tobytes() for column_VK in columns)
        if key not in class_of:
            class_of[key] = len(first)
            first.append(index)
        class_V[index] = class_of[key]
    return np.array(first), class_V


def _explore(
    parts: Sequence[Automaton], lifted: Sequence[npt.NDArray[np.int32]], start: Sequence[int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """The states of the product that can be reached, breadth first; state 0 is the start.

    Args:
        parts: the automata.
        lifted: for each the state after each class of ids (K, C).
        start: where each begins.

    Returns:
        The next state of each (S, C), -1 where a part refuses; and whether all parts accept (S,).

    Raises:
        UsageError: there are more than can be held.
    """
    sizes = [len(part.next_KB) for part in parts]
    radix = [math.prod(sizes[:place]) for place in range(len(sizes))]
    names, n_classes = " and ".join(part.name for part in parts), lifted[0].shape[1]
    if radix[-1] * sizes[-1] >= 2**62:
        raise UsageError(
            f"cannot ask for {names:.200} at once: their states multiply to 2^62 or more, the limit; {_LESS}"
        )
    front_F = np.array([sum(state * unit for state, unit in zip(start, radix, strict=True))], dtype=np.int64)
    known, fronts, rows = IntSet(front_F), [front_F], []
    while len(front_F):
        if known.size * n_classes > MAX_ENTRIES:
            raise UsageError(
                f"cannot ask for {names:.200}: the automaton has more than {MAX_ENTRIES:,} transitions, the limit; "
                f"{_LESS}"
            )
        after = []
        for first in range(0, len(front_F), step := max(1, _TOGETHER // n_classes)):  # a signal waits for one of these
            codes_F = front_F[first : first + step]
            next_FC = np.zeros((len(codes_F), n_classes), np.int64)
            refused_FC = np.zeros(next_FC.shape, bool)
            for part_KC, unit, size in zip(lifted, radix, sizes, strict=True):
                after_FC = part_KC[codes_F // unit % size]
                refused_FC |= after_FC < 0
                next_FC += after_FC.astype(np.int64) * unit
            next_FC[refused_FC] = -1
            rows.append(next_FC)
            after.append(np.unique(next_FC))
        front_F = known.add(np.concatenate(after))
        fronts.append(front_F)
    codes = np.concatenate(fronts)
    order = np.argsort(codes)
    sorted_codes = codes[order]
    next_SC, at = np.empty((len(codes), n_classes), np.int32), 0
    for next_FC in rows:
        places = order[np.minimum(np.searchsorted(sorted_codes, next_FC), len(codes) - 1)]
        next_SC[at : at + len(next_FC)] = np.where(next_FC < 0, -1, places)
        at += len(next_FC)
    accepts_S = np.ones(len(codes), bool)
    for part, unit, size in zip(parts, radix, sizes, strict=True):
        accepts_S &= part.accepts_K[codes // unit % size]
    return next_SC, accepts_S
