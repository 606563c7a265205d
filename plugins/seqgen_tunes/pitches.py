"""MIDI numbers of notes, from letters, key signature, accidentals and ties."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from seqgen_tunes.keys import ALTERED, SEMITONES, Key
from seqgen_tunes.lexer import LENGTH
from seqgen_tunes.metres import read_length

_NOTE = re.compile(rf"(\^\^?|__?|=)?([A-Ga-g])([,']*)({LENGTH})")
_CHORD = re.compile(r"\[(.*)\]([^\]]*)", re.DOTALL)

StaffPosition = tuple[str, int]
"""Letter A .. G, and octave; octave 0 starts at middle C."""


@dataclass(frozen=True, slots=True)
class NoteToken:
    """A parsed note token.

    Attributes:
        accidental: "", "^", "_", "=", "^^" or "__".
        place: the staff position.
        length: multiple of the unit note length as (numerator, denominator).
        spelled: the canonical spelling.
    """

    accidental: str
    place: StaffPosition
    length: tuple[int, int]
    spelled: str


@lru_cache(maxsize=8192)
def spell_length(length: str) -> str:
    """Return the canonical spelling of a length: "/2" and "/" are "/", "3/" is "3/2", "1" is ""."""
    above, below = read_length(length)
    if (above, below) == (1, 2):
        return "/"
    return ("" if above == 1 else str(above)) + ("" if below == 1 else f"/{below}")


@lru_cache(maxsize=8192)
def read_note(word: str) -> NoteToken:
    """Parse a note token."""
    accidental, letter, marks, length = _NOTE.fullmatch(word).groups("")  # type: ignore[union-attr]
    octave = int(letter.islower()) + marks.count("'") - marks.count(",")
    name = letter.lower() + "'" * (octave - 1) if octave > 0 else letter.upper() + "," * -octave
    spelled = accidental + name + spell_length(length)
    return NoteToken(accidental, (letter.upper(), octave), read_length(length), spelled)


@lru_cache(maxsize=1024)
def read_chord(word: str) -> tuple[list[NoteToken], str, str]:
    """Return the notes of a chord token, the length after its brackets, and its canonical spelling."""
    inside, length = _CHORD.fullmatch(word).groups()  # type: ignore[union-attr]
    notes = [read_note(match.group()) for match in _NOTE.finditer(inside)]
    spelled = _NOTE.sub(lambda match: read_note(match.group()).spelled, inside)
    return notes, length, f"[{spelled}]{spell_length(length)}"


@dataclass(slots=True)
class PitchResolver:
    """Pitches of notes, given the accidentals of a bar, which apply to a letter in all octaves up to the bar line.

    Source: ABC 2.1, sections 4.2 and 11.3 (``propagate-accidentals pitch``, its default).

    Attributes:
        key: the current key; None alters nothing.
        accidentals: alteration by letter in the current bar.
    """

    key: Key | None = None
    accidentals: dict[str, int] = field(default_factory=dict)

    def number(self, note: NoteToken, tied: dict[StaffPosition, int]) -> int:
        """Return the MIDI number of a note.

        Args:
            note: the note.
            tied: MIDI numbers of the notes tied to this one, by staff position.
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
