"""Names and colours of pitches and keys."""

from __future__ import annotations

import colorsys
from functools import lru_cache

from seqgen_tunes.keys import SEMITONES, Key

_SHARP = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLAT = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_MODES = {
    "mix": "mixolydian", "dor": "dorian", "phr": "phrygian", "lyd": "lydian",
    "loc": "locrian", "m": "minor", "": "major",
}  # fmt: skip


def pitch_name(number: int, key: Key | None) -> str:
    """Return the name of a MIDI note number, such as ``F#5``; 60 is C4. Keys with flats use flats."""
    names = _FLAT if key and key.fifths < 0 else _SHARP
    return f"{names[number % 12]}{number // 12 - 1}"


def key_name(key: Key) -> str:
    """Return the name of a key, such as ``A mixolydian``; keys without such a name as written."""
    tonic = key.text[:2] if key.text[1:2] in ("#", "b") else key.text[:1]
    mode = _MODES.get(key.text[len(tonic) :])
    return f"{tonic} {mode}" if mode and key.tonic is not None else key.text


def in_scale(number: int, key: Key | None) -> bool:
    """Return whether a pitch needs no accidental in a key, whose signature includes the accidentals of its field.

    Without a signature (no key, "none", and "HP", whose sharps ABC leaves unwritten), these are the natural notes.
    """
    alters = key.alters if key else {}
    return any((semitone + alters.get(letter, 0) - number) % 12 == 0 for letter, semitone in SEMITONES.items())


@lru_cache(maxsize=128)
def colour(number: int, lightness: float) -> tuple[int, int, int]:
    """Return the RGB colour (0 .. 255) of a pitch class; pitches a fifth apart have adjacent hues."""
    red, green, blue = colorsys.hls_to_rgb(number * 7 % 12 / 12, lightness, 0.62)
    return round(255 * red), round(255 * green), round(255 * blue)
