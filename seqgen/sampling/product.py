"""Products of automata over bytes, lifted to the symbols of a vocabulary.

Symbols may have several characters. A state of the product stands for one state of each automaton; only states that can
be reached from the prefix are built.

Dimension letters: K states of a part, S states of the product, V vocabulary, C classes of symbols that all parts treat
alike, F states of the frontier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqgen.errors import UsageError
from seqgen.sampling.automata import Automaton, equal_groups
from seqgen.sampling.state_graph import UNREACHABLE, Edges, IntSet
from seqgen.tokenizers import EOS

MAX_TRANSITIONS = 10_000_000
"""Limit on the transitions of a product: states times classes of symbols that all automata treat alike."""
_MAX_TABLE = 40_000_000  # states times kinds of symbols
_BATCH_SIZE = 1_000_000  # transitions computed in one call
_MAX_TRIED = 8  # parts that are left out, one at a time, to see if the rest fits
_HINT = "drop a requirement, or shorten its texts"


def _lift(part: Automaton, piece: bytes) -> npt.NDArray[np.int32]:
    """Return the state of an automaton after a piece of text, (K,); -1 where it rejects it."""
    state_K = np.arange(len(part.next_KC), dtype=np.int32)
    for at, class_ in enumerate(part.class_B[list(piece)]):
        next_K = part.next_KC[state_K, class_] if at else part.next_KC[:, class_]
        state_K = np.where(state_K < 0, np.int32(-1), next_K)
    return state_K


def _lift_classes(
    parts: Sequence[Automaton], pieces: Sequence[bytes | None]
) -> tuple[list[npt.NDArray[np.int32]], npt.NDArray[np.intp]]:
    """Return the states of each automaton after each class of ids (K, C), and the class of each id.

    The last class is that of the end alone, and the one before it that of all other ids that are no piece.

    Raises:
        UsageError: an automaton has too many states for the number of symbols.
    """
    translations = [part.class_B.astype(np.uint8).tobytes() for part in parts]
    kinds: dict[tuple[bytes, ...], list[int]] = {}  # ids by the classes of their bytes, which are read alike
    for id_, piece in enumerate(pieces):
        if piece is not None:
            kinds.setdefault(tuple(map(piece.translate, translations)), []).append(id_)
    for part in parts:
        if len(part.next_KC) * len(kinds) > _MAX_TABLE:
            raise UsageError(
                f"cannot apply {part.name}: its {len(part.next_KC):,} states times {len(kinds):,} kinds of symbols "
                f"exceed the limit of {_MAX_TABLE:,}; {_HINT}"
            )
    examples = [pieces[ids[0]] or b"" for ids in kinds.values()]
    first_C, classes = equal_groups([_lift(part, piece) for part in parts] for piece in examples)
    class_V = np.full(len(pieces), len(first_C))
    class_V[EOS] = len(first_C) + 1
    for ids, class_ in zip(kinds.values(), classes, strict=True):
        class_V[ids] = class_
    lifted = []
    for part in parts:
        states_KC = np.full((len(part.next_KC), len(first_C) + 2), -1, np.int32)
        for class_, index in enumerate(first_C):
            states_KC[:, class_] = _lift(part, examples[index])
        lifted.append(states_KC)
    return lifted, class_V


class CombinationTooLarge(UsageError):
    """Several automata together have more transitions than the limit."""


class RowAutomaton:
    """The automaton of rows of ids: the product of several automata, restricted to the states that can be reached.

    Args:
        parts: the automata.
        pieces: the bytes of each id; None: never sampled.
        start: the beginning of every row.
        ends: whether rows have an end.

    Attributes:
        next_SC: the state after each class of ids. State 0 is the state after the start; the last one is for rows that
            have ended or are rejected: only the end can be sampled there.
        class_V: the class of each id.
        distance_S: the least number of symbols to an accepted end.
        allowed_V: the ids that may be sampled, the end included where rows end.
        ends: as given.
    """

    def __init__(self, parts: Sequence[Automaton], pieces: Sequence[bytes | None], start: bytes, ends: bool) -> None:
        self.ends, self.allowed_V = ends, np.array([piece is not None for piece in pieces])
        self.allowed_V[EOS] = ends
        entered = [part.walk(start) for part in parts]
        self.next_SC, self.class_V = np.full((1, 1), -1, np.int32), np.zeros(len(pieces), np.intp)
        accepts_S = np.zeros(1, bool)
        if min(entered) >= 0:
            classes, self.class_V = _lift_classes(parts, pieces)
            try:
                self.next_SC, accepts_S = _explore(parts, classes, entered)
            except _TooManyTransitions:
                raise CombinationTooLarge(
                    f"cannot combine {_names(parts)}: the automaton has more than {MAX_TRANSITIONS:,} transitions, the "
                    f"limit; {_advice(parts, classes, entered)}"
                ) from None
            del classes
        edges = Edges(self.next_SC)
        if not ends:
            accepts_S &= edges.endless()
        self.distance_S = edges.distances(accepts_S)
        live_S = self.distance_S < UNREACHABLE
        self.next_SC[~live_S[self.next_SC]] = len(live_S) - 1  # index -1 is the last one, too

    def next(self, states: Any, ids: Any) -> npt.NDArray[np.int32]:
        """Return the states after ids, by indices of an array that fit together."""
        next_states: npt.NDArray[np.int32] = self.next_SC[states, self.class_V[ids]]
        return next_states

    def min_symbols(self) -> int:
        """Return the least number of symbols of a row after the start."""
        return int(self.distance_S[0])

    def distance_table(self, exact: bool) -> npt.NDArray[np.int16]:
        """Return the least symbols to an accepted end by way of each class of ids, the id included (S, C).

        Args:
            exact: nothing is to be masked, since forbidding an id would change the distribution of the others.
        """
        if exact:
            distance_SC = np.zeros(self.next_SC.shape, np.int16)
            distance_SC[:, -2] = distance_SC[-1] = UNREACHABLE
            distance_SC[:, -1] = 0 if self.ends else UNREACHABLE
        else:
            distance_SC = np.minimum(self.distance_S.astype(np.int16)[self.next_SC], UNREACHABLE - 1) + np.int16(1)
            if self.ends:
                distance_SC[:, -1] = np.where(self.distance_S == 0, 0, UNREACHABLE)
        distance_SC[-1, -1] = 0
        return distance_SC


def explain_conflict(
    parts: Sequence[Automaton], pieces: Sequence[bytes | None], start: bytes, n_left: int, ends: bool
) -> str:
    """Return why no row of at most ``n_left`` more symbols satisfies all parts, naming a minimal set of them."""

    def min_symbols(some: Sequence[Automaton]) -> int:
        return RowAutomaton(some, pieces, start, ends).min_symbols()

    core = list(parts)
    for part in parts:
        fewer = [other for other in core if other is not part]
        if fewer and min_symbols(fewer) > n_left:
            core = fewer
    names = " and ".join(part.name for part in core)
    if (needed := min_symbols(core)) < UNREACHABLE:
        return (
            f"{names} {'needs' if len(core) == 1 else 'need'} {needed} more symbols, and a row may have "
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
        The next state of each state (S, C), -1 where a part rejects, and one more state without next ones; and whether
        all parts accept (S,).

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
    next_SC, at = np.full((len(codes) + 1, n_classes), -1, np.int32), 0
    rows.reverse()
    while rows:  # each is freed as soon as it is read
        row_FC = rows.pop()
        states = order[np.minimum(np.searchsorted(sorted_codes, row_FC), len(codes) - 1)]
        next_SC[at : at + len(row_FC)] = np.where(row_FC < 0, -1, states)
        at += len(row_FC)
    accepts_S = np.zeros(len(codes) + 1, bool)
    accepts_S[:-1] = True
    for part, unit, size in zip(parts, radix, sizes, strict=True):
        accepts_S[:-1] &= part.accepts_K[codes // unit % size]
    return next_SC, accepts_S
