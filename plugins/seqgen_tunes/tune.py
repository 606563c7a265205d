"""A parsed tune: notes and bars with their times."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from seqgen_tunes.barlines import BarLine
from seqgen_tunes.keys import Key
from seqgen_tunes.metres import Metre


@dataclass(slots=True)
class Note:
    """A note, a chord, or a rest.

    Attributes:
        pitches: MIDI numbers (60 is middle C) with key signature and accidentals applied; empty for a rest.
        at: start in ticks from the start of the tune; ``metres.WHOLE`` ticks are a whole note.
        ticks: duration in ticks.
        tied: True if it continues the pitches of the note before without a new attack.
    """

    pitches: tuple[int, ...]
    at: int
    ticks: int
    tied: bool = False


@dataclass(slots=True)
class Bar:
    """A bar.

    Attributes:
        number: counted from 1, or from 0 if the tune starts with a pick-up; two short bars on both sides of a repeat
            sign or double bar line count as one.
        at: start in ticks from the start of the tune.
        ticks: total duration of its notes and rests.
        metre: the metre of the bar.
        left: the bar line before it; None at the start of the tune.
        right: the bar line after it; None if the tune ends without one.
    """

    number: int
    at: int
    ticks: int
    metre: Metre
    left: BarLine | None
    right: BarLine | None

    @property
    def full(self) -> bool:
        """Return whether the bar fills its metre exactly; in free metre every bar does."""
        return self.metre.ticks is None or self.ticks == self.metre.ticks

    @property
    def short(self) -> bool:
        """Return whether the bar is shorter than its metre."""
        return self.metre.ticks is not None and self.ticks < self.metre.ticks


@dataclass(slots=True)
class Tune:
    """A parsed tune.

    Attributes:
        metre: the header's metre; None if it is not legal.
        key: the header's key; None if it is not legal.
        unit: the header's unit note length in ticks; None if it is not legal.
        notes: all notes and rests in order.
        bars: all bars that are not empty.
        wrong: the bars that do not fill their metre but should.
        keys: (tick, key) for each change of key, the header's first.
        problems: problems in the order of the text; notes and bars hold what could be parsed despite them.
        canonical: the tune in canonical spelling without layout; "" if the header is not legal.
    """

    metre: Metre | None = None
    key: Key | None = None
    unit: int | None = None
    notes: list[Note] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    wrong: list[Bar] = field(default_factory=list)
    keys: list[tuple[int, Key]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    canonical: str = ""

    @property
    def ticks(self) -> int:
        """Return the duration in ticks."""
        return self.notes[-1].at + self.notes[-1].ticks if self.notes else 0

    def key_at(self, tick: int) -> Key | None:
        """Return the key in force at a time; None before the first one."""
        number = bisect.bisect_right(self.keys, tick, key=lambda change: change[0])
        return self.keys[number - 1][1] if number else None

    def sounding(self) -> list[Note]:
        """Return the sounding notes: rests left out, tied notes merged."""
        heard: list[Note] = []
        for note in self.notes:
            if note.tied and heard and heard[-1].pitches == note.pitches and heard[-1].at + heard[-1].ticks == note.at:
                heard[-1].ticks += note.ticks
            elif note.pitches:
                heard.append(Note(note.pitches, note.at, note.ticks))
        return heard
