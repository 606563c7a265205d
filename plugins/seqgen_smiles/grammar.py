"""The grammar of SMILES as an automaton: brackets, branches and rings, but no chemistry.

It accepts every text that RDKit's parser accepts, within bounds: branches nested at most 4 deep, ring labels 1 to 9,
and at most 4 rings open at a time. Of the records of ``smiles`` 0.3% are beyond them, of the first 100,000 records of
MOSES's test set 0.07%. SELFIES, which are bracketed groups and dots, are accepted too if every dot is between
two groups: not ".[C]", "[C]..[C]" and "[C].".

Source: Weininger 1988, doi:10.1021/ci00057a005, and the OpenSMILES specification, as far as RDKit follows it.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_DEPTH = 4
"""Branches within one another, at most."""
MAX_OPEN = 4
"""Rings that are open at a time, at most."""
_ATOMS = frozenset("BCNOPSFIbcnops*")
_SECOND = {"B": "r", "C": "l"}  # of two letters: Br, Cl
_BONDS = frozenset("-=#$:/\\~<")
_PAIRED = {"-": ">", "<": "-", "\\": "\\"}  # dative bonds, -> and <-; RDKit takes two backslashes for one
_START, _ATOM, _BRACKET, _IN_BRACKET, _BOND, _BRANCH, _BRANCH_BOND = range(7)


class State(NamedTuple):
    """The requirements that a beginning of a text leaves to the rest.

    Attributes:
        place: what was read last.
        letter: what was read last where a second one may follow, or must.
        depth: branches that are open.
        rings: the labels of rings that are open, as bits.
    """

    place: int
    letter: str
    depth: int
    rings: int


class SmilesGrammar:
    """The automaton; see :class:`seqgen.TextAutomaton`."""

    start = State(_START, "", 0, 0)

    def advance(self, state: State, character: str) -> State | None:
        """Return the state after a character, or None."""
        place, letter, depth, rings = state
        if place in (_BRACKET, _IN_BRACKET):  # any isotope, element, hydrogens, charge
            return self._in_bracket(state, character)
        if letter in _PAIRED and character == _PAIRED[letter]:
            return state._replace(letter="")
        if letter == "<":
            return None
        if place == _ATOM and letter and character == _SECOND.get(letter):
            return state._replace(letter="")
        if character in _ATOMS:
            return State(_ATOM, character if character in _SECOND else "", depth, rings)
        if character == "[":
            return State(_BRACKET, "", depth, rings)
        if character in _BONDS:
            after = {_ATOM: _BOND, _BRANCH: _BRANCH_BOND}.get(place)
            return None if after is None else State(after, character if character in _PAIRED else "", depth, rings)
        if character in "123456789":
            return self._ring(state, int(character)) if place in (_ATOM, _BOND) else None
        if place != _ATOM:
            return None
        if character == "(":
            return State(_BRANCH, "", depth + 1, rings) if depth < MAX_DEPTH else None
        if character == ")":
            return State(_ATOM, "", depth - 1, rings) if depth else None
        return State(_START, "", depth, rings) if character == "." else None

    def _in_bracket(self, state: State, character: str) -> State | None:
        if character == "]":
            return state._replace(place=_ATOM) if state.place == _IN_BRACKET else None
        return None if character == "[" else state._replace(place=_IN_BRACKET)

    def _ring(self, state: State, label: int) -> State | None:
        rings = state.rings ^ 1 << label
        return State(_ATOM, "", state.depth, rings) if rings.bit_count() <= MAX_OPEN else None

    def accepts(self, state: State) -> bool:
        """Return whether a text may end in a state: everything is closed."""
        return state.place == _ATOM and not state.depth and not state.rings
