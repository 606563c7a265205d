"""Tables of the automata that domains bring, over bytes like those of all requirements (``automata``).

Dimension letters: K states.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable

import numpy as np

from seqgen.protocols import TextAutomaton
from seqgen.sampling.aho_corasick import N_BYTES
from seqgen.sampling.automata import Automaton
from seqgen.sampling.constraint import symbol_pieces
from seqgen.tokenizers import Vocabulary, is_partial

MAX_STATES = 32_768
"""Limit on the states of a domain's automaton that the texts of a vocabulary reach."""
_OTHER = "\N{REPLACEMENT CHARACTER}"
_LEADS = ((range(0xC2, 0xE0), 1), (range(0xE0, 0xF0), 2), (range(0xF0, 0xF5), 3))  # and the bytes that follow each


class TooManyStates(Exception):
    """A domain's automaton has more states than can be tabulated."""


def accepts(automaton: TextAutomaton, text: str) -> bool:
    """Return whether a domain's automaton accepts a text."""
    state: Hashable | None = automaton.start
    for character in text:
        state = automaton.advance(state, character)
        if state is None:
            return False
    return automaton.accepts(state)


def tabulate_for(automaton: TextAutomaton, vocabulary: Vocabulary, name: str, most: int = MAX_STATES) -> Automaton:
    """Return the table of a domain's automaton over the characters of a vocabulary.

    Raises:
        TooManyStates: they exceed the limit.
        UsageError: the symbols are not pieces of the text.
    """
    pieces = symbol_pieces(vocabulary)
    has_parts = any(map(is_partial, pieces))
    texts = [piece.decode("utf-8", "ignore" if has_parts else "surrogatepass") for piece in pieces]
    return tabulate(automaton, itertools.chain.from_iterable(texts), name, has_parts=has_parts, most=most)


def tabulate(
    automaton: TextAutomaton, characters: Iterable[str], name: str, *, has_parts: bool = False, most: int = MAX_STATES
) -> Automaton:
    """Return the table of a domain's automaton, restricted to the states that can be reached.

    Args:
        automaton: of the domain.
        characters: those that texts may have.
        name: the requirement, for messages.
        has_parts: whether symbols are parts of characters, so that texts may have any character beyond ASCII. All of
            them are U+FFFD for the automaton then.
        most: limit on the states.

    Raises:
        TooManyStates: they exceed the limit.
    """
    table = _Table(automaton, min(most, MAX_STATES))
    alphabet = [(character, character.encode("utf-8", "surrogatepass")) for character in sorted(set(characters))]
    for state in table.states:
        for character, data in alphabet:
            if len(data) == 1 or not has_parts:
                table.add(state, data, automaton.advance(state, character))
        other = automaton.advance(state, _OTHER) if has_parts else None
        for leads, n_after in _LEADS if other is not None else ():
            for lead in leads:
                table.add_any(state, lead, n_after, other)
    accepts_K = np.zeros(len(table.rows), dtype=np.bool_)
    accepts_K[[table.number(state) for state in table.states]] = [automaton.accepts(state) for state in table.states]
    return Automaton.of_bytes(name, np.array(table.rows, dtype=np.int32), accepts_K)


class _Table:
    """Transitions by byte, of the states of an automaton and of those within a character.

    Args:
        automaton: whose first state has number 0.
        most: limit on the states.
    """

    def __init__(self, automaton: TextAutomaton, most: int) -> None:
        self._most = most
        self.states: list[Hashable] = []
        self.rows: list[list[int]] = []
        self._number_of: dict[Hashable, int] = {}
        self.number(automaton.start)

    def number(self, state: Hashable) -> int:
        """Return the number of a state of the automaton, which may be new."""
        if ("state", state) not in self._number_of:
            self.states.append(state)
        return self._row(("state", state))

    def _row(self, key: Hashable) -> int:
        if key not in self._number_of:
            if len(self.rows) >= self._most:
                raise TooManyStates
            self._number_of[key] = len(self.rows)
            self.rows.append([-1] * N_BYTES)
        return self._number_of[key]

    def add(self, state: Hashable, data: bytes, after: Hashable | None) -> None:
        """Add the transition by the bytes of a character; ``after`` None: it is rejected."""
        if after is None:
            return
        here = self.number(state)
        for end in range(1, len(data)):
            there = self._row(("within", state, data[:end]))
            self.rows[here][data[end - 1]] = there
            here = there
        self.rows[here][data[-1]] = self.number(after)

    def add_any(self, state: Hashable, lead: int, n_after: int, after: Hashable) -> None:
        """Add the transition by any character that begins with a byte, which ``n_after`` others follow."""
        here = self.number(state)
        self.rows[here][lead] = there = self._row(("any", after, n_after))
        for n_left in range(n_after - 1, -1, -1):
            here, there = there, self._row(("any", after, n_left)) if n_left else self.number(after)
            self.rows[here][0x80:0xC0] = [there] * 0x40
