"""The lexical grammar of Python as an automaton: brackets, strings and comments, but no statements.

It accepts every text that Python parses, within bounds: brackets nested at most 4 deep, and of what Python has from
version 3.12 on, within an f-string no quote that is the one around it, and in one of single quotes no line end.

Source: the Python language reference, chapter 2, "Lexical analysis".
"""

from __future__ import annotations

from typing import NamedTuple

MAX_DEPTH = 4
"""Brackets within one another, at most."""
_CLOSING = {")": "(", "]": "[", "}": "{"}
_CODE, _COMMENT, _STRING, _ESCAPE, _ESCAPED_RETURN = range(5)


class State(NamedTuple):
    """The requirements that a beginning of a text leaves to the rest.

    Attributes:
        open: the brackets that are open.
        place: code, a comment, a string, or after a backslash in a string, or after a backslash and a carriage return.
        quote: the quote of the string.
        n_quotes: quotes in a row at its beginning; 3 and more, in a string of three quotes: 3 and those at its end.
    """

    open: str = ""
    place: int = _CODE
    quote: str = ""
    n_quotes: int = 0


class PythonGrammar:
    """The automaton; see :class:`seqgen.TextAutomaton`."""

    start = State()

    def advance(self, state: State, character: str) -> State | None:
        """Return the state after a character, or None."""
        if state.place == _ESCAPE:
            return state._replace(place=_ESCAPED_RETURN if character == "\r" else _STRING)
        if state.place == _ESCAPED_RETURN:  # "\r\n" is one line end, and escaped as one
            state = state._replace(place=_STRING)
            return state if character == "\n" else self._in_string(state, character)
        if state.place == _STRING:
            return self._in_string(state, character)
        if state.place == _COMMENT:
            return State(state.open) if character in "\n\r" else state
        return self._in_code(state, character)

    def _in_code(self, state: State, character: str) -> State | None:
        if character in "\"'":
            return State(state.open, _STRING, character, 1)
        if character == "#":
            return State(state.open, _COMMENT)
        if character in "([{":
            return State(state.open + character) if len(state.open) < MAX_DEPTH else None
        if character in _CLOSING:
            return State(state.open[:-1]) if state.open.endswith(_CLOSING[character]) and state.open else None
        return state

    def _in_string(self, state: State, character: str) -> State | None:
        opened, _, quote, n_quotes = state
        if n_quotes == 2 and character != quote:  # the empty string
            return self._in_code(State(opened), character)
        if character == quote:
            ends = n_quotes == 0 or n_quotes == 5  # of a string of one quote, or of three
            return State(opened) if ends else state._replace(n_quotes=n_quotes + 1)
        if n_quotes < 3 and character in "\n\r":
            return None
        place = _ESCAPE if character == "\\" else _STRING
        return State(opened, place, quote, 3 if n_quotes >= 3 else 0)

    def accepts(self, state: State) -> bool:
        """Return whether a text may end in a state: nothing is open."""
        is_empty = state.place == _STRING and state.n_quotes == 2
        return not state.open and (state.place in (_CODE, _COMMENT) or is_empty)
