"""Handling of tokens that take time: notes, chords, rests, ties, tuplets and broken rhythm."""

from __future__ import annotations

from collections.abc import Sequence

from seqgen_tunes.bar_builder import BarBuilder
from seqgen_tunes.barlines import BarLine
from seqgen_tunes.metres import Metre, read_length
from seqgen_tunes.pitches import NoteToken, PitchResolver, StaffPosition, read_chord, read_note, spell_length
from seqgen_tunes.rhythm import Rhythm
from seqgen_tunes.tune import Note, Tune


class NoteHandler:
    """Handles notes and what they depend on: bar, key, tuplet, broken rhythm, ties and slurs.

    Args:
        tune: the tune with its header parsed; notes and problems are added to it.
        metre: the header's metre.
        unit: the unit note length in ticks.
    """

    def __init__(self, tune: Tune, metre: Metre, unit: int) -> None:
        self.tune = tune
        self.bars = BarBuilder(metre)
        self.rhythm = Rhythm(unit)
        self.pitches = PitchResolver(tune.key)
        self.last: Note | None = None  # in this bar
        self.sounded: dict[StaffPosition, int] = {}
        self.tied: dict[StaffPosition, int] = {}
        self.slurs: list[int] = []
        self.place = 0

    def wrong(self, what: str) -> None:
        """Record a problem of the current token; "" is none."""
        if what:
            self.tune.problems.append(f"{what}, at character {self.place}")

    def note(self, text: str) -> None:
        """Handle a note, ``^f'3/2``."""
        note = read_note(text)
        self._event((note,), *note.length, note.spelled)

    def chord(self, text: str) -> None:
        """Handle a chord, ``[CEG]2``; it lasts as long as its first note times the length after the bracket."""
        notes, length, spelled = read_chord(text)
        (above, below), (more_above, more_below) = notes[0].length, read_length(length)
        self._event(notes, above * more_above, below * more_below, spelled)
        if "-" in text:
            self.tied = self.sounded

    def rest(self, text: str) -> None:
        """Handle a rest, ``z2``, or an invisible rest, ``x2``."""
        self._event((), *read_length(text[1:]), text[0] + spell_length(text[1:]))

    def bars_rest(self, text: str) -> None:
        """Handle a rest of whole bars, ``Z4``."""
        bars, ticks = int(text[1:3] or 1), self.bars.metre.ticks
        if not self.bars.empty or not ticks or not bars or len(text) > 3:
            self.wrong(f"{text[:10]} is not a rest of whole bars")
            return
        if self.tied:
            self.tied = {}
            self.wrong("a tie between different notes")
        for number in range(bars):
            if number:
                self.bars.line(BarLine())
            self.tune.notes.append(Note((), self.bars.at, ticks))
            self.bars.spelled.append("Z")
            self.bars.pass_time(ticks)
        self.last = None

    def _event(self, notes: Sequence[NoteToken], above: int, below: int, spelled: str) -> None:
        """Add a note, a chord, or, without notes, a rest."""
        self.bars.spelled.append(spelled)
        ticks = self.rhythm.ticks(above, below)
        if isinstance(ticks, str):
            self.wrong(ticks)
            return
        tied = self.tied
        self.sounded = {note.place: self.pitches.number(note, tied) for note in notes}
        pitches = tuple(self.sounded.values()) if len(notes) < 2 else tuple(sorted(set(self.sounded.values())))
        if pitches and not 0 <= pitches[0] <= pitches[-1] <= 127:
            self.wrong("a note beyond the range of MIDI")
            pitches = ()
        self.last = Note(pitches, self.bars.at, ticks)
        if tied:
            self.tied = {}
            self.last.tied = not set(tied.values()).isdisjoint(pitches)
            self.wrong("" if self.last.tied else "a tie between different notes")
        self.tune.notes.append(self.last)
        self.bars.pass_time(ticks)

    def tie(self, text: str) -> None:
        """Handle a tie, ``-`` after a note."""
        self.bars.spelled.append(text)
        if self.last is None or not self.sounded or self.tied:
            self.wrong("a tie without a note before it")
        else:
            self.tied = self.sounded

    def tuplet(self, text: str) -> None:
        """Handle the start of a tuplet, ``(3``."""
        self.bars.spelled.append(text)
        self.wrong(self.rhythm.start_tuplet(text, self.bars.metre))

    def broken(self, text: str) -> None:
        """Handle broken rhythm, ``>`` or ``<`` between two notes."""
        self.bars.spelled.append(text)
        last = self.last
        before = last.ticks if last else 0
        self.wrong(self.rhythm.start_broken(text, last))
        if last:
            self.bars.pass_time(last.ticks - before)
