"""A melody written in ABC, in the bars of its metre and the spelling of its key."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from seqgen_tunes.keys import SEMITONES, Key, read_key
from seqgen_tunes.metres import WHOLE, default_unit, read_metre, read_unit
from seqgen_tunes.pitches import spell_length

UNITS = 192
"""Units of time per whole note."""
_SIGNS = {-1: "_", 0: "=", 1: "^"}
_BARS_A_LINE = 4
_USUAL = tuple(Fraction(halves, 2) for halves in (16, 12, 8, 6, 4, 3, 2, 1))  # lengths in the unit note length


class HeardNote(NamedTuple):
    """A note of a melody.

    Attributes:
        at: its start in units.
        units: its length.
        pitch: its MIDI number.
    """

    at: int
    units: int
    pitch: int


class Change(NamedTuple):
    """A metre or a key, and the time from which it holds.

    Attributes:
        at: the time in units.
        text: as ABC spells it: "6/8", "Em".
    """

    at: int
    text: str


class _Bar(NamedTuple):
    start: int
    end: int
    metre: str


def write_abc(notes: Sequence[HeardNote], metres: Sequence[Change], keys: Sequence[Change]) -> str:
    """Return a melody as ABC: metre, unit note length, key and music, with a rest wherever no note sounds.

    A bar that begins with rests is a pick-up if it is the first. The last bar is filled with a rest, unless it
    complements the pick-up. A metre that changes within a bar gives what is left of the bar a metre of its own.

    Args:
        notes: the notes in order; none begins before the one before it ends.
        metres: the metres, the first one from the start; each is legal in ABC.
        keys: the keys; before the first of them there is none.
    """
    first, last = notes[0].at, notes[-1].at + notes[-1].units
    bars = list(_bars(metres, first, last))
    is_cut, bars[0] = first > bars[0].start, bars[0]._replace(start=first)
    if is_cut and len(bars) > 1 and bars[-1].end - last == bars[0].end - first:  # it complements the pick-up
        bars[-1] = bars[-1]._replace(end=last)
    metre, key = bars[0].metre, _key_at(keys, first)
    unit = default_unit(read_metre(metre))  # type: ignore[arg-type]
    music = _Music(read_unit(unit) or WHOLE, key)
    lines, line = list[str](), ""
    for number, bar in enumerate(bars, 1):
        changed = _key_at(keys, bar.start)
        if changed.text != music.key.text:
            line += f"[K:{changed.text}]"
        line += f"[M:{bar.metre}]" * (bar.metre != metre) + music.bar(bar, notes, changed)
        metre = bar.metre
        line += "|" if number < len(bars) else "|]"
        if number % _BARS_A_LINE == 0 or number == len(bars):
            lines.append(line)
            line = ""
    return "\n".join([f"M:{bars[0].metre}", f"L:{unit}", f"K:{key.text}", *lines])


def _key_at(keys: Sequence[Change], at: int) -> Key:
    number = bisect.bisect_right(keys, at, key=lambda change: change.at)
    key = read_key(keys[number - 1].text if number else "none")
    assert key is not None
    return key


def _bars(metres: Sequence[Change], first: int, last: int) -> Iterator[_Bar]:
    """Yield the bars from that of the first note to that in which the last one ends."""
    for number, change in enumerate(metres):
        end = metres[number + 1].at if number + 1 < len(metres) else last
        metre = read_metre(change.text)
        assert metre is not None and metre.ticks is not None
        length, start = metre.ticks * UNITS // WHOLE, change.at
        start += max(0, first - start) // length * length
        while start < min(end, last):
            stop = start + length
            if number + 1 < len(metres) and stop > end:
                yield _Bar(start, end, _metre_of(end - start))
            else:
                yield _Bar(start, stop, change.text)
            start = stop


def _metre_of(units: int) -> str:
    share = Fraction(units, UNITS)
    return f"{share.numerator}/{share.denominator}"


class _Music:
    """The music written so far.

    Args:
        unit: the unit note length in ticks.
        key: the key at the start.
    """

    def __init__(self, unit: int, key: Key) -> None:
        self.key, self._unit = key, Fraction(unit * UNITS, WHOLE)
        self._next, self._tied = 0, ""

    def bar(self, bar: _Bar, notes: Sequence[HeardNote], key: Key) -> str:
        """Return the notes and rests of a bar; a note that sounds beyond its end is tied to the next."""
        self.key, written, at = key, "", bar.start
        altered = dict[str, int]()
        while at < bar.end:
            note = notes[self._next] if self._next < len(notes) else None
            if note is None or note.at > at:
                end = bar.end if note is None else min(bar.end, note.at)
                written += "".join(f"z{length}" for length in self._lengths(end - at))
            else:
                end = min(bar.end, note.at + note.units)
                name = self._tied or self._spelled(note.pitch, altered)
                plain, going_on = name.lstrip("^_="), end < note.at + note.units
                first, *rest = self._lengths(end - at)
                written += name + first + "".join(f"-{plain}{length}" for length in rest) + "-" * going_on
                self._tied = plain if going_on else ""
                self._next += not going_on
            at = end
        return written

    def _lengths(self, units: int) -> Iterator[str]:
        """Yield the lengths that a note or rest is written with, usual ones as far as they fit."""
        left = Fraction(units) / self._unit
        while left:
            length = next((one for one in _USUAL if one <= left), left)
            yield spell_length(str(length))
            left -= length

    def _spelled(self, pitch: int, altered: dict[str, int]) -> str:
        """Return a note without its length; an accidental holds for its letter to the end of the bar."""
        order = (0, -1, 1) if self.key.fifths < 0 else (0, 1, -1)
        found = [
            (letter, alter)
            for alter in order
            for letter, semitone in SEMITONES.items()
            if (semitone + alter - pitch) % 12 == 0
        ]
        held = {letter: altered.get(letter, self.key.alters.get(letter, 0)) for letter, _ in found}
        letter, alter = next((pair for pair in found if held[pair[0]] == pair[1]), found[0])
        octave = (pitch - alter - SEMITONES[letter]) // 12 - 5
        sign = "" if held[letter] == alter else _SIGNS[alter]
        altered[letter] = alter
        return sign + (letter.lower() + "'" * (octave - 1) if octave > 0 else letter + "," * -octave)
