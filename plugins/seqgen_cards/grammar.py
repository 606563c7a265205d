"""The grammar of cards as an automaton: fields with legal values, each once, and all that a card of its type needs.

It accepts every card that the validator accepts, within bounds: its fields are in the usual order, and brackets in its
text are nested at most 2 deep. It does not look at the parts of a class or a race together.

Source: the game, as the validator has it (``rules``).
"""

from __future__ import annotations

from typing import NamedTuple

from seqgen_cards.rules import CHOICES, CLOSING, NEEDED, ORDER, RANGES, SEVERAL, TYPES, belongs

MAX_DEPTH = 2
"""Brackets within one another, at most."""
_EMPTY, _INCOMPLETE, _COMPLETE = range(3)
_ALWAYS_UNTIL = ORDER.index("type")  # the fields that every card has are the first ones


class State(NamedTuple):
    """The requirements that a beginning of a card leaves to the rest.

    Attributes:
        field: the number of the field that is being read, or was read last.
        kind: the card's type, once it has been read.
        in_value: whether its value is being read, or else the name of the next field.
        text: of a name, a number or a choice what has been read; of a text its open brackets; of other values nothing.
        value: whether the value is empty, may not end here (a space, or a part of a choice), or may.
    """

    field: int = -1
    kind: str = ""
    in_value: bool = False
    text: str = ""
    value: int = _EMPTY


class CardGrammar:
    """The automaton; see :class:`seqgen.TextAutomaton`."""

    start = State()

    def advance(self, state: State, character: str) -> State | None:
        """Return the state after a character, or None."""
        if not state.in_value:
            return self._in_name(state, character)
        if character == "\n":
            return self._ended(state)
        if not character.isprintable() or (character == " " and state.value == _EMPTY):
            return None
        return self._in_value(state, character)

    def _in_name(self, state: State, character: str) -> State | None:
        if character != "=":
            name = state.text + character
            known = any(other.startswith(name) and self._may_follow(state, other) for other in ORDER)
            return state._replace(text=name) if known else None
        if state.text not in ORDER or not self._may_follow(state, state.text):
            return None
        return State(ORDER.index(state.text), state.kind, in_value=True)

    def _may_follow(self, state: State, name: str) -> bool:
        """Return whether a field may be the next one: no field that the card needs is between."""
        field = ORDER.index(name)
        if field <= state.field or (state.kind and not belongs(name, state.kind)):
            return False
        return not any(self._needs(state, between) for between in range(state.field + 1, field))

    def _needs(self, state: State, field: int) -> bool:
        return field <= _ALWAYS_UNTIL or ORDER[field] in NEEDED.get(state.kind, ())

    def _in_value(self, state: State, character: str) -> State | None:
        name, text = ORDER[state.field], state.text
        if name in RANGES:
            if not (character.isascii() and character.isdigit()) or text == "0" or len(text) == 3:
                return None
            return state._replace(text="0" if character == "0" and not text else text + "1", value=_COMPLETE)
        if name in CHOICES:
            return self._in_choice(state, character)
        if name == "text" and character in "([{":
            return state._replace(text=text + character, value=_COMPLETE) if len(text) < MAX_DEPTH else None
        if name == "text" and character in CLOSING:
            return state._replace(text=text[:-1], value=_COMPLETE) if text and text[-1] == CLOSING[character] else None
        return state._replace(value=_INCOMPLETE if character == " " else _COMPLETE)

    def _in_choice(self, state: State, character: str) -> State | None:
        name = ORDER[state.field]
        if name in SEVERAL and character == "/":
            return state._replace(text="", value=_EMPTY) if state.value == _COMPLETE else None
        text = state.text + character
        if not any(choice.startswith(text) for choice in CHOICES[name]):
            return None
        return state._replace(text=text, value=_COMPLETE if text in CHOICES[name] else _INCOMPLETE)

    def _ended(self, state: State) -> State | None:
        """Return the state after a value, or None if it is not complete."""
        name = ORDER[state.field]
        if state.value != _COMPLETE or (name == "text" and state.text):
            return None
        return State(state.field, state.text if name == "type" else state.kind)

    def accepts(self, state: State) -> bool:
        """Return whether a card may end in a state: it has all that its type needs."""
        ended = self._ended(state) if state.in_value else None
        if ended is None or ended.kind not in TYPES:
            return False
        return not any(self._needs(ended, field) for field in range(ended.field + 1, len(ORDER)))
