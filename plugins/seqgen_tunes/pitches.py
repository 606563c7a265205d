"""From the letters of a note to its MIDI number, with key signature, accidentals and ties."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from seqgen_tunes.keys import ALTERED, SEMITONES, Key
from seqgen_tunes.metres import read_length
from seqgen_tunes.words import LENGTH

_NOTE = re.compile(rf"(\^\^?|__?|=)?([A-Ga-g])([,']*)({LENGTH})")
_CHORD = re.compile(r"\[(.*)\]([^\]]*)", re.DOTALL)

Place = tuple[str, int]
"""Letter A .. G, and octave: 0 starts at middle C."""


@dataclass(frozen=True, slots=True)
class NoteWord:
    """What a note word says.

    Attributes:
        accidental: "", "^", "_", "=", "^^" or "__".
        place: where it stands on the staff.
        length: numerator and denominator of its multiple of the unit note length.
        spelled: its one spelling.
    """

    accidental: str
    place: Place
    length: tuple[int, int]
    spelled: str


@lru_cache(maxsize=8192)
def spell_length(length: str) -> str:
    """The one spelling of a length: "/2" and "/" are "/", "3/" is "3/2", "1" is ""."""
    above, below = read_length(length)
    if (above, below) == (1, 2):
        return "/"
    return ("" if above == 1 else str(above)) + ("" if below == 1 else f"/{below}")


@lru_cache(maxsize=8192)
def read_note(word: str) -> NoteWord:
    """What a note word says."""
    accidental, letter, marks, length = _NOTE.fullmatch(word).groups("")  # type: ignore[union-attr]
    octave = int(letter.islower()) + marks.count("'") - marks.count(",")
    name = letter.lower() + "'" * (octave - 1) if octave > 0 else letter.upper() + "," * -octave
    spelled = accidental + name + spell_length(length)
    return NoteWord(accidental, (letter.upper(), octave), read_length(length), spelled)


@lru_cache(maxsize=1024)
def read_chord(word: str) -> tuple[list[NoteWord], str, str]:
    """The notes of a chord word, the length outside its brackets, and its one spelling."""
    inside, length = _CHORD.fullmatch(word).groups()  # type: ignore[union-attr]
    notes = [read_note(match.group()) for match in _NOTE.finditer(inside)]
    spelled = _NOTE.sub(lambda match: read_note(match.group()).spelled, inside)
    return notes, length, f"[{spelled}]{spell_length(length)}"


@dataclass(slots=True)
class Pitcher:
    """Remembers the accidentals of a bar: they hold for their letter, in all octaves, to the next bar line.

    Source: ABC 2.1, sections 4.2 and 11.3 (``propagate-accidentals pitch``, its default).

    Attributes:
        key: the key that holds; None alters nothing.
        accidentals: by letter, what this bar has changed.
    """

    key: Key | None = None
    accidentals: dict[str, int] = field(default_factory=dict)

    def number(self, note: NoteWord, tied: dict[Place, int]) -> int:
        """The MIDI number of a note.

        Args:
            note: the note.
            tied: the numbers of notes that are tied to this one, by place.
        """
        letter, octave = note.place
        if note.accidental:
            self.accidentals[letter] = ALTERED[note.accidental]
        elif note.place in tied:  # a tie carries the accidental over the bar line
            return tied[note.place]
        change = self.accidentals.get(letter)
        if change is None:
            change = self.key.alters.get(letter, 0) if self.key else 0
        return 60 + 12 * octave + SEMITONES[letter] + change
