"""A tune as events in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from seqgen_tunes.barlines import BarLine
from seqgen_tunes.keys import Key
from seqgen_tunes.metres import WHOLE, Metre


@dataclass(slots=True)
class Note:
    """A note, a chord, or a rest.

    Attributes:
        pitches: MIDI numbers, 60 is middle C, key signature and accidentals applied; none for a rest.
        at: ticks from the start of the tune; ``WHOLE`` ticks are a whole note.
        ticks: how long it lasts.
        tied: whether it goes on with the pitches of the note before, without a new attack.
    """

    pitches: tuple[int, ...]
    at: int
    ticks: int
    tied: bool = False

    @property
    def start(self) -> Fraction:
        """When it starts, in whole notes from the start of the tune."""
        return Fraction(self.at, WHOLE)

    @property
    def duration(self) -> Fraction:
        """How long it lasts, in whole notes."""
        return Fraction(self.ticks, WHOLE)


@dataclass(slots=True)
class Bar:
    """What stands between two bar lines.

    Attributes:
        number: counted from 1, or from 0 where the tune starts with a pick-up; two short bars on both sides of a
            repeat sign or double bar line count as one.
        at: ticks from the start of the tune.
        ticks: how long its notes and rests last.
        metre: that of the bar.
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
        """Whether it fills its metre exactly; in free metre every bar does."""
        return self.metre.ticks is None or self.ticks == self.metre.ticks

    @property
    def short(self) -> bool:
        """Whether it is shorter than its metre."""
        return self.metre.ticks is not None and self.ticks < self.metre.ticks


@dataclass(slots=True)
class Tune:
    """A tune.

    Attributes:
        metre: that of the header.
        key: that of the header; None where it is not legal.
        unit: the unit note length of the header, in ticks.
        notes: all notes and rests in order.
        bars: all bars that hold something.
        wrong: those of the bars that do not fill their metre, and should.
        keys: the key from a tick on, the header's first.
        problems: what is wrong, the first in the text first; notes and bars are what could be read all the same.
        canonical: the tune spelled without layout.
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
        """How long it lasts."""
        return self.notes[-1].at + self.notes[-1].ticks if self.notes else 0

    def sounding(self) -> list[Note]:
        """What is heard: no rests, and notes that are tied as one."""
        heard: list[Note] = []
        for note in self.notes:
            if note.tied and heard and heard[-1].pitches == note.pitches and heard[-1].at + heard[-1].ticks == note.at:
                heard[-1].ticks += note.ticks
            elif note.pitches:
                heard.append(Note(note.pitches, note.at, note.ticks))
        return heard
