"""Durations of notes: unit, multiple, tuplet and broken rhythm (ABC 2.1, sections 4.3, 4.4 and 4.13)."""

from __future__ import annotations

from dataclasses import dataclass

from seqgen_tunes.metres import WHOLE, Metre, tuplet_time
from seqgen_tunes.tune import Note


@dataclass(slots=True)
class Rhythm:
    """The unit note length, and the effect of a tuplet or broken rhythm on the next notes.

    Attributes:
        unit: the unit note length in ticks.
        notes: remaining notes of the tuplet.
        factor: (p, q) of the tuplet: p notes in the time of q.
        broken: factor of the next note as (numerator, denominator); None for none.
    """

    unit: int
    notes: int = 0
    factor: tuple[int, int] = (1, 1)
    broken: tuple[int, int] | None = None

    def ticks(self, above: int, below: int) -> int | str:
        """Return the ticks of the next note, given its multiple of the unit, or the problem."""
        ticks, rest = (self.unit, 0) if above == below == 1 else divmod(self.unit * above, below)
        if self.notes:
            self.notes -= 1
            ticks, more = divmod(ticks * self.factor[1], self.factor[0])
            rest += more
        if self.broken:
            ticks, more = divmod(ticks * self.broken[0], self.broken[1])
            rest, self.broken = rest + more, None
        if rest or not ticks:
            return "an impossible note length"
        return ticks if ticks <= 8 * WHOLE else "a note of more than eight whole notes"

    def start_tuplet(self, word: str, metre: Metre) -> str:
        """Start a tuplet; return the problem, or ""."""
        if self.notes:
            return f"tuplet {word} within a tuplet"
        numbers = [*word[1:].split(":"), "", ""]
        notes = int(numbers[0])
        self.factor = notes, int(numbers[1] or tuplet_time(notes, metre))
        self.notes = int(numbers[2] or notes)
        return ""

    def start_broken(self, word: str, last: Note | None) -> str:
        """Lengthen the last note and shorten the next, or vice versa; return the problem, or ""."""
        if last is None or self.broken:
            return f"{word} without a note before it"
        part = 2 ** len(word)
        long, short = (2 * part - 1, part), (1, part)
        first, self.broken = (long, short) if word[0] == ">" else (short, long)
        last.ticks, rest = divmod(last.ticks * first[0], first[1])
        return "an impossible note length" if rest or not last.ticks else ""

    def close(self) -> str:
        """End tuplet and broken rhythm at a bar line; return the problem if one is incomplete, or ""."""
        left = f"a tuplet lacks {self.notes} of its notes" if self.notes else ""
        left = left or ("a broken rhythm without its second note" if self.broken else "")
        self.notes, self.broken = 0, None
        return left
