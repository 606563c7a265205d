"""The grammar of ABC as an automaton: a header, bars that fill their metre, tuplets, broken rhythm and slurs.

It accepts every tune that the validator accepts, within bounds: the usual metres and unit note lengths (``_METRES``,
``_UNITS``), of whose units 2 to 9 fill a bar, written without spaces; notes of 1/2 to 8 units in the usual spellings
(``_LENGTHS``), which begin, and bars end, on halves of a unit outside tuplets and broken rhythm; triplets as the only
tuplets, of notes of one unit or of half a unit without broken rhythm; a single ``>`` or ``<``, right after a note of
one unit (written without a 1) or of half a unit; the usual bar lines (``_LINES``, so no ``||:``); no slur within a
slur; no chords, rests of whole bars, spacers with a number, and fields within a tune. Of the records of ``tunes``
7.5% are beyond them. Pick-ups and ties are left to the validator.

Source: the ABC music standard 2.1 (December 2011), as far as the validator follows it.
"""

from __future__ import annotations

from typing import NamedTuple

from seqgen_tunes.barlines import BarLine, read_barline
from seqgen_tunes.metres import read_metre, read_unit

_METRES = ("C", "C|", "2/2", "2/4", "3/2", "3/4", "3/8", "4/4", "6/4", "6/8", "9/8", "12/8")
_UNITS = ("1/4", "1/8", "1/16")
_BARS = (2, 3, 4, 6, 8, 9)  # units of a bar
_PARTS = 24  # of a unit, in which time is counted: halves, thirds and quarters are whole
_HALF = _PARTS // 2
_LENGTHS = {"": 2, "1": 2, "/": 1, "/2": 1, "2": 4, "3": 6, "3/": 3, "3/2": 3, "4": 8, "6": 12, "8": 16}
"""Halves of a unit by the written length of a note."""
_LEAST = {"": 1, "3": 3}  # by an unfinished length, where what follows may make it shorter
_UNFINISHED = ("", "/", "3", "3/")
_LINES = ("|", "||", "|]", "|:", ":|", "::", ":||", ":|]", "|1", "|2", ":|1", ":|2", "[1", "[2", "||[1")
_NOTES = frozenset("ABCDEFGabcdefgxz")
_IDLE = frozenset(" \t\r\n.~HIJKLMNOPQRSTUVWhijklmnopqrstuvwy`^_=-")  # layout, decorations, accidentals, ties
_IN_GRACE = frozenset("ABCDEFGabcdefg^_=,'/<>() -123456789")
_NOT_NAMED = frozenset("|:[]")  # and spaces, in decorations such as !trill!
_UNENDED = ("(", "{", '"', "!", "!.", "\\")
_INNER, _OPEN, _OWED = range(3)

Factor = tuple[int, int]
"""A note lasts so many times its written length, as numerator and denominator."""
_PLAIN, _TRIPLET, _SHORT, _LONG = (1, 1), (2, 3), (1, 2), (3, 2)


class Header(NamedTuple):
    """A beginning that ends within the header.

    Attributes:
        metre: of the field M.
        unit: of the field L.
        line: the line so far; "X" and "X:" stand for a field of any other letter, "K:." for a key.
    """

    metre: str
    unit: str
    line: str


class Body(NamedTuple):
    """A beginning that ends after the header; times are in 24ths of a unit.

    Attributes:
        bar: length of a bar.
        at: time since the last bar line; within a bar line only 0, 1 and ``bar`` differ: the bar is empty, short, full.
        left: how the bar begins: within a section; where one may start, so that it may be short; or after a short bar
            that the bar line should not have ended, so that one more line has to come that may end a section.
        factor: of the next note.
        n_notes: for how many notes the factor holds.
        slur: whether a slur is open.
        length: the written length of the last note, as long as more may follow.
        note: the factor of that note; None: there is none.
        mark: what has begun: "(", "{", a bar line, quoted text, a decoration "!" or "!." with a name, or a backslash.
    """

    bar: int
    at: int = 0
    left: int = _OPEN
    factor: Factor = _PLAIN
    n_notes: int = 0
    slur: bool = False
    length: str = ""
    note: Factor | None = None
    mark: str = ""


class AbcGrammar:
    """The automaton; see :class:`seqgen.TextAutomaton`."""

    start = Header("", "", "")

    def advance(self, state: Header | Body, character: str) -> Header | Body | None:
        """Return the state after a character, or None."""
        return _in_header(state, character) if isinstance(state, Header) else _in_body(state, character)

    def accepts(self, state: Header | Body) -> bool:
        """Return whether a tune may end in a state."""
        if isinstance(state, Header) or state.n_notes or state.slur or state.mark in _UNENDED:
            return False
        ended = _after_line(state) if state.mark else _after_note(state)
        return ended is not None and ended.left != _OWED


def _in_header(state: Header, character: str) -> Header | Body | None:
    line = state.line
    if character == "\n":
        return _after_field(state)
    if not line:
        return state._replace(line=character if character in "MLK" else "X") if character.isalpha() else None
    if len(line) == 1:
        return state._replace(line=line + ":") if character == ":" else None
    if line[0] in "ML":
        known = _METRES if line[0] == "M" else _UNITS
        if character == "\r" and line[2:] in known:
            return state
        line += character
        return state._replace(line=line) if any(value.startswith(line[2:]) for value in known) else None
    return state._replace(line="K:.") if line[0] == "K" else state


def _after_field(state: Header) -> Header | Body | None:
    """Return the state after the line of a field."""
    name, colon, value = state.line.partition(":")
    if not colon:
        return None
    if name == "M":
        return Header(value, state.unit, "") if value in _METRES else None
    if name == "L":
        return Header(state.metre, value, "") if value in _UNITS else None
    if name == "X":
        return state._replace(line="")
    metre, unit = read_metre(state.metre), read_unit(state.unit)
    if not value or metre is None or metre.ticks is None or unit is None:
        return None
    units, rest = divmod(metre.ticks, unit)
    return Body(units * _PARTS) if not rest and units in _BARS else None


def _in_body(state: Body, character: str) -> Body | None:
    here: Body | None = state
    if state.mark in _UNENDED[1:]:
        return _in_mark(state, character)
    if state.mark == "(":
        if character == "3":
            return None if state.n_notes else state._replace(mark="", factor=_TRIPLET, n_notes=3)
        here = None if state.slur or character.isdigit() else state._replace(mark="", slur=True)
    elif state.mark:
        if any(line.startswith(state.mark + character) for line in _LINES):
            return state._replace(mark=state.mark + character)
        here = _after_line(state)
    elif state.note is not None:
        if character in ",'":
            return None if state.length else state
        if (length := state.length + character) in _LENGTHS:
            return _lengthened(state, length)
        if character in "<>":
            return _broken(state, character)
        here = _after_note(state)
    return None if here is None else _next(here, character)


def _in_mark(state: Body, character: str) -> Body | None:
    """Return the state after a character of grace notes, quoted text, a decoration or the end of a continued line."""
    mark, after = state.mark, state._replace(mark="")
    if mark == "{":
        return after if character == "}" else state if character in _IN_GRACE else None
    if mark == '"':
        return after if character == '"' else None if character == "\n" else state
    if mark == "\\":
        return after if character == "\n" else None
    if character == "!":
        return after if mark == "!." else None
    return None if character in _NOT_NAMED or character.isspace() else state._replace(mark="!.")


def _next(state: Body, character: str) -> Body | None:
    """Return the state after a character that begins something."""
    if character in _NOTES:
        if state.left == _OWED:
            return None
        n_notes = max(state.n_notes - 1, 0)
        factor = state.factor if n_notes else _PLAIN
        return _fitting(state._replace(factor=factor, n_notes=n_notes, length="", note=state.factor))
    if character in _UNENDED:
        return state._replace(mark=character)
    if character == ")":
        return state._replace(slur=False) if state.slur else None
    if character in "|:[":
        at = state.at if state.at in (0, state.bar) else 1
        return None if state.n_notes else state._replace(mark=character, at=at)
    return state if character in _IDLE else None


def _ticks(length: str, factor: Factor, halves: int | None = None) -> int:
    """Return the time of a note, or 0 if it is not whole."""
    ticks, rest = divmod(_HALF * (halves or _LENGTHS[length]) * factor[0], factor[1])
    return 0 if rest else ticks


def _fitting(state: Body) -> Body | None:
    """Return the state if its note may still fit into the bar, else None."""
    assert state.note is not None
    least = _ticks(state.length, state.note, _LEAST.get(state.length))
    return state if least and state.at + least <= state.bar else None


def _lengthened(state: Body, length: str) -> Body | None:
    """Return the state after one more character of the length of a note."""
    if (state.note == _TRIPLET and length[0] not in "1/") or (state.note != _PLAIN and length[0] == "3"):
        return None
    after = _fitting(state._replace(length=length))
    return after if after is None or length in _UNFINISHED else _after_note(after)


def _after_note(state: Body) -> Body | None:
    """Return the state after the last note, whose length is complete."""
    if state.note is None:
        return state
    ticks = _ticks(state.length, state.note)
    at = state.at + ticks
    if not ticks or at > state.bar or (at % _HALF and not state.n_notes):
        return None
    return state._replace(at=at, length="", note=None)


def _broken(state: Body, sign: str) -> Body | None:
    """Return the state after ``>`` or ``<``: the note before it is lengthened or shortened, and the next vice versa."""
    if state.n_notes or state.note != _PLAIN or state.length not in ("", "/"):
        return None
    at = state.at + _ticks(state.length, _LONG if sign == ">" else _SHORT)
    after = state._replace(at=at, length="", note=None, factor=_SHORT if sign == ">" else _LONG, n_notes=1)
    return after if at < state.bar else None


def _after_line(state: Body) -> Body | None:
    """Return the state after a bar line; it has begun a bar, or joins the line before it."""
    line = read_barline(state.mark)
    if line is None or state.mark not in _LINES:
        return None
    return state._replace(at=0, mark="", left=_left_of(state, line))


def _left_of(state: Body, line: BarLine) -> int:
    """Return how the bar after a line begins."""
    if line.opens or (state.at == 0 and state.left == _OPEN):
        return _OPEN
    if line.strong:
        return _INNER
    if state.at == 0:
        return state.left
    return _OWED if state.at < state.bar and state.left != _OPEN else _INNER
