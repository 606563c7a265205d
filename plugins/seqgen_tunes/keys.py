"""Key signatures such as "G", "E Minor", "Amix", "D phr ^f", "G clef=bass" (ABC 2.1, sections 3.1.14 and 4.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ALTERED = {"": 0, "=": 0, "^": 1, "^^": 2, "_": -1, "__": -2}
_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_MODES = {
    "": (0, ""), "maj": (0, ""), "ion": (0, ""), "m": (-3, "m"), "min": (-3, "m"), "aeo": (-3, "m"),
    "mix": (-1, "mix"), "dor": (-2, "dor"), "phr": (-4, "phr"), "lyd": (1, "lyd"), "loc": (-5, "loc"),
}  # fmt: skip
_KEY = re.compile(r"([A-G])([#b]?) *([A-Za-z]*)((?: *(?:\^\^?|__?|=)[A-Ga-g])*)")
_STAFF = re.compile(
    r"[ \t]+(?:(?:clef=)?(?:treble|alto|tenor|bass|perc|none)[1-5]?(?:[+-]8)?"
    r"|middle=[A-Ga-g][,']*|(?:transpose|octave|stafflines)=[+-]?[0-9]+)(?![^ \t])"
)
_SIGNS = re.compile(r"(\^\^?|__?|=)([A-Ga-g])")


@dataclass(frozen=True)
class Key:
    """A key signature.

    Attributes:
        text: the short spelling: "Em", "Amix".
        tonic: pitch class of the tonic, 0 .. 11 from C; None if there is none.
        fifths: number of sharps (positive) or flats (negative), -7 .. 7.
        alters: semitones added to a note without accidental, by letter.
    """

    text: str
    tonic: int | None
    fifths: int
    alters: dict[str, int]


def without_staff(text: str) -> str:
    """Return a key field without its settings of the staff: clef, middle, transpose, octave and stafflines."""
    return _STAFF.sub("", text)


@lru_cache(maxsize=1024)
def read_key(text: str) -> Key | None:
    """Parse a key field; None if it is not legal.

    Settings of the staff are ignored, transpose and octave too: notes have the pitches that are written. Legal, but not
    supported, are "exp", which replaces the signature by explicit accidentals, and settings without a key.
    """
    text = without_staff(text.strip())
    if text in ("none", "HP"):
        return Key(text, None if text == "none" else 9, 0, {})
    if text == "Hp":  # Highland bagpipes: the scale of A mixolydian
        return Key(text, 9, 2, {"F": 1, "C": 1})
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    letter, sign, mode, signs = match.groups()
    mode = mode if mode == "m" else mode.lower()[:3]
    if mode not in _MODES or (len(mode) < 3 and match[3] not in ("", "m")):
        return None
    shift, short = _MODES[mode]
    semitone = {"#": 1, "b": -1, "": 0}[sign]
    fifths = _FIFTHS[letter] + 7 * semitone + shift
    if not -7 <= fifths <= 7:
        return None
    order = "FCGDAEB"
    alters = dict.fromkeys(order[:fifths], 1) if fifths > 0 else dict.fromkeys(order[7 + fifths :], -1)
    changes = _SIGNS.findall(signs)
    alters |= {name.upper(): ALTERED[change] for change, name in changes}
    spelled = letter + sign + short + "".join(f" {change}{name}" for change, name in changes)
    return Key(spelled, (SEMITONES[letter] + semitone) % 12, fifths, alters)
