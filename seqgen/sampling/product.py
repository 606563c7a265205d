"""Products of automata over bytes, lifted to the symbols of a vocabulary.

Symbols may have several characters. A state of the product stands for one state of each automaton; only states that can
be reached from the prefix are built.

Dimension letters: K states of a part, S states of the product, V vocabulary, C classes of symbols that all parts treat
alike, F states of the frontier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqgen.errors import UsageError
from seqgen.sampling.automata import Automaton, equal_columns
from seqgen.sampling.state_graph import UNREACHABLE, Edges, Ints, IntSet
from seqgen.tokenizers import EOS

MAX_TRANSITIONS = 10_000_000
"""Limit on the transitions of a product: states times classes of symbols that all automata treat alike."""
_MAX_TABLE = 40_000_000  # entries of a table: states times symbols
_BATCH_SIZE = 1_000_000  # transitions computed in one call
_MAX_TRIED = 8  # parts that are left out, one at a time, to see if the rest fits
_HINT = "drop a requirement, or shorten its texts"


def _lift(part: Automaton, pieces: Sequence[bytes | None]) -> npt.NDArray[np.int32]:
    """Return the state of an automaton after each id, (K, V); -1 where it rejects or the id is no piece."""
    if len(part.next_KC) * len(pieces) > _MAX_TABLE:
        raise UsageError(
            f"cannot apply {part.name}: its {len(part.next_KC):,} states times {len(pieces):,} symbols exceed the "
            f"limit of {_MAX_TABLE:,}; {_HINT}"
        )
    longest = max((len(piece) for piece in pieces if piece is not None), default=0)
    table = np.vstack([part.next_KC, np.full(part.next_KC.shape[1], -1, np.int32)])  # -1 leads to the last row
    states_KV = np.repeat(np.arange(len(part.next_KC), dtype=np.int32)[:, None], len(pieces), 1)
    states_KV[:, [piece is None for piece in pieces]] = -1
    for position in range(longest):
        long_V = [index for index, piece in enumerate(pieces) if piece is not None and len(piece) > position]
        bytes_V = np.array([pieces[index][position] for index in long_V])  # type: ignore[index]
        states_KV[:, long_V] = table[states_KV[:, long_V], part.class_B[bytes_V]]
    return states_KV


@dataclass(frozen=True)
class RowAutomaton:
    """A constraint as a table.

    Attributes:
        next_SV: the state after each id; the last state is that of ended and of rejected rows.
        distance_S: the least number of symbols from each state, the last one excluded, to an accepted end.
        allowed_V: the ids that may be sampled, the end included where rows end.
        ends: whether rows have an end.
    """

    next_SV: npt.NDArray[np.int32]
    distance_S: Ints
    allowed_V: npt.NDArray[np.bool_]
    ends: bool


class Product:
    """The product of several automata, restricted to the states that can be reached.

    Args:
        parts: the automata.
        pieces: the bytes of each id; None: never sampled.
        start: the beginning of every row.
        ends: whether rows have an end.

    Attributes:
        distance_S: the least number of symbols to an accepted end; empty if the start itself is rejected. State 0 is
            the state after the start.
    """

    def __init__(self, parts: Sequence[Automaton], pieces: Sequence[bytes | None], start: bytes, ends: bool) -> None:
        self._ends = ends
        self._sampled_V = [piece is not None for piece in pieces]
        entered = [part.walk(start) for part in parts]
        self._class_V, accepts_S = np.zeros(len(pieces), np.intp), np.zeros(0, bool)
        self._next_SC = np.zeros((0, 1), np.int32)
        if min(entered) >= 0:
            lifted = [_lift(part, pieces) for part in parts]
            first_C, self._class_V = equal_columns(lifted)
            classes = [part_KV[:, first_C] for part_KV in lifted]
            del lifted  # as large as all that follows
            try:
                self._next_SC, accepts_S = _explore(parts, classes, entered)
            except _TooManyTransitions:
                raise UsageError(
                    f"cannot combine {_names(parts)}: the automaton has more than {MAX_TRANSITIONS:,} transitions, the "
                    f"limit; {_advice(parts, classes, entered)}"
                ) from None
            del classes
        edges = Edges(self._next_SC)
        if not ends:
            accepts_S &= edges.endless()
        self.distance_S = edges.distances(accepts_S)

    def min_symbols(self) -> int:
        """Return the least number of symbols of a row after the start."""
        return int(self.distance_S[:1].min(initial=UNREACHABLE))

    def next_table(self) -> npt.NDArray[np.int32]:
        """Return the state after each id (S+1, V).

        The last state is for rows that have ended or are rejected: only the end can be sampled there.
        """
        n_states, n_ids = len(self._next_SC), len(self._class_V)
        if n_states * n_ids > _MAX_TABLE:
            raise UsageError(
                f"cannot build the constraint: its {n_states:,} states times {n_ids:,} symbols exceed the limit of "
                f"{_MAX_TABLE:,}; {_HINT}"
            )
        next_SV = np.full((n_states + 1, n_ids), n_states, np.int32)
        np.take(self._live_next(), self._class_V, 1, out=next_SV[:-1])
        return next_SV

    def _live_next(self) -> npt.NDArray[np.int32]:
        """Return the next state of each class (S, C), the last one in place of those that reach no accepted end."""
        live_S = np.append(self.distance_S < UNREACHABLE, False)  # index -1 is the last
        return np.where(live_S[self._next_SC], self._next_SC, np.int32(len(self._next_SC)))

    def distance_table(self, exact: bool) -> npt.NDArray[np.int16]:
        """Return the least symbols to an accepted end by way of each id, that id included (S+1, V).

        Args:
            exact: nothing is to be masked, since forbidding an id would change the distribution of the others.
        """
        distance_SV = np.full((len(self._next_SC) + 1, len(self._class_V)), UNREACHABLE, np.int16)
        if exact:
            distance_SV[:-1, self._sampled_V] = 0
            distance_SV[:-1, EOS] = 0 if self._ends else UNREACHABLE
        else:
            after_S = np.append(self.distance_S, UNREACHABLE).astype(np.int16)
            distance_SC = np.minimum(after_S[self._live_next()], UNREACHABLE - 1) + np.int16(1)
            np.take(distance_SC, self._class_V, 1, out=distance_SV[:-1])
            if self._ends:
                distance_SV[:-1, EOS] = np.where(self.distance_S == 0, 0, UNREACHABLE)
        distance_SV[-1, EOS] = 0
        return distance_SV


def explain_conflict(
    parts: Sequence[Automaton], pieces: Sequence[bytes | None], start: bytes, n_left: int, ends: bool
) -> str:
    """Return why no row of at most ``n_left`` more symbols satisfies all parts, naming a minimal set of them."""

    def min_symbols(some: Sequence[Automaton]) -> int:
        return Product(some, pieces, start, ends).min_symbols()

    core = list(parts)
    for part in parts:
        fewer = [other for other in core if other is not part]
        if fewer and min_symbols(fewer) > n_left:
            core = fewer
    names = " and ".join(part.name for part in core)
    if (needed := min_symbols(core)) < UNREACHABLE:
        return (
            f"{names} {'needs' if len(core) == 1 else 'need'} {needed} more symbols, and --max-length leaves "
            f"{max(n_left, 0)}; raise --max-length"
        )
    if len(core) > 1:
        return f"{names} exclude each other; drop one"
    if core[0].walk(start) < 0:
        return f"the prefix violates {names}; change one of them"
    return f"the symbols of this run cannot spell {names}; use characters of its corpus"


class _TooManyTransitions(Exception):
    """A product has more transitions than ``MAX_TRANSITIONS``."""


def _names(parts: Sequence[Automaton]) -> str:
    return f"{' and '.join(part.name for part in parts):.200}"


def _advice(parts: Sequence[Automaton], lifted: Sequence[npt.NDArray[np.int32]], start: Sequence[int]) -> str:
    """Return which part to leave out so that the others fit: the one of the fewest states, if there are several."""
    by_size = sorted(range(len(parts)), key=lambda index: len(parts[index].accepts_K))
    for index in by_size[:_MAX_TRIED] if len(parts) > 1 else ():
        others = [o for o in range(len(parts)) if o != index]
        try:
            _explore([parts[o] for o in others], [lifted[o] for o in others], [start[o] for o in others])
        except _TooManyTransitions:
            continue
        return f"drop {parts[index].name:.100}, and the rest fits"
    return _HINT


def _explore(
    parts: Sequence[Automaton], lifted: Sequence[npt.NDArray[np.int32]], start: Sequence[int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return the reachable states of the product, found breadth first; state 0 is the start.

    Args:
        parts: the automata.
        lifted: for each part the state after each class of ids (K, C).
        start: the initial state of each part.

    Returns:
        The next state of each state (S, C), -1 where a part rejects; and whether all parts accept (S,).

    Raises:
        _TooManyTransitions: there are more than ``MAX_TRANSITIONS``.
        UsageError: the states cannot even be numbered.
    """
    sizes = [len(part.next_KC) for part in parts]
    radix = [math.prod(sizes[:position]) for position in range(len(sizes))]
    n_classes = lifted[0].shape[1]
    if radix[-1] * sizes[-1] >= 2**62:
        raise UsageError(f"cannot combine {_names(parts)}: their states multiply to the limit of 2^62 or more; {_HINT}")
    code_type = np.int32 if radix[-1] * sizes[-1] < 2**31 else np.int64  # of what is kept
    frontier_F = np.array([sum(state * unit for state, unit in zip(start, radix, strict=True))], dtype=np.int64)
    known, frontiers = IntSet(frontier_F), [frontier_F]
    rows: list[npt.NDArray[np.integer[Any]]] = []
    while len(frontier_F):
        if known.size * n_classes > MAX_TRANSITIONS:
            raise _TooManyTransitions
        after = []
        for first in range(0, len(frontier_F), step := max(1, _BATCH_SIZE // n_classes)):  # bounds a signal's delay
            codes_F = frontier_F[first : first + step]
            next_FC = np.zeros((len(codes_F), n_classes), np.int64)
            refused_FC = np.zeros(next_FC.shape, bool)
            for part_KC, unit, size in zip(lifted, radix, sizes, strict=True):
                after_FC = part_KC[codes_F // unit % size]
                refused_FC |= after_FC < 0
                next_FC += after_FC.astype(np.int64) * unit
            next_FC[refused_FC] = -1
            rows.append(next_FC.astype(code_type))
            after.append(np.unique(next_FC))
        frontier_F = known.add(np.concatenate(after))
        frontiers.append(frontier_F)
    codes = np.concatenate(frontiers)
    order = np.argsort(codes)
    sorted_codes = codes[order]
    next_SC, at = np.empty((len(codes), n_classes), np.int32), 0
    for row_FC in rows:
        states = order[np.minimum(np.searchsorted(sorted_codes, row_FC), len(codes) - 1)]
        next_SC[at : at + len(row_FC)] = np.where(row_FC < 0, -1, states)
        at += len(row_FC)
    accepts_S = np.ones(len(codes), bool)
    for part, unit, size in zip(parts, radix, sizes, strict=True):
        accepts_S &= part.accepts_K[codes // unit % size]
    return next_SC, accepts_S
