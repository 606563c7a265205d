"""Metres and note lengths in integer ticks, so that bars add up exactly (ABC 2.1, sections 3.1.6 and 3.1.7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

WHOLE = 2**12 * 3**2 * 5 * 7
"""Ticks per whole note: divisible by every length down to a 4096th, also in tuplets of 2 to 9 notes."""
_METRE = re.compile(r"\(?([1-9][0-9]?(?:\+[1-9][0-9]?)*)\)?/(1|2|4|8|16|32|64)")
_UNIT = re.compile(r"1(?:/(1|2|4|8|16|32|64|128|256|512))?")
_LENGTH = re.compile(r"([0-9]*)(/[0-9]+|/*)")


@dataclass(frozen=True)
class Metre:
    """A metre.

    Attributes:
        text: the spelling in the field.
        beats: the upper number.
        unit: the lower number.
        ticks: length of a bar; None for free metre.
    """

    text: str
    beats: int
    unit: int
    ticks: int | None

    @property
    def compound(self) -> bool:
        """Return whether the metre is compound: 6/8, 9/8, 12/8."""
        return self.beats > 3 and self.beats % 3 == 0


@lru_cache(maxsize=1024)
def read_metre(text: str) -> Metre | None:
    """Parse a metre field; None if it is not legal."""
    text = text.strip()
    if text == "none":
        return Metre(text, 4, 4, None)
    number = {"C": "4/4", "C|": "2/2"}.get(text, text)
    match = _METRE.fullmatch(number)
    if match is None or ("(" in number) != (")" in number):
        return None
    beats, unit = sum(map(int, match[1].split("+"))), int(match[2])
    return Metre(text, beats, unit, beats * WHOLE // unit)


@lru_cache(maxsize=256)
def read_unit(text: str) -> int | None:
    """Return the ticks of a unit note length such as "1/8"; None if it is not legal."""
    match = _UNIT.fullmatch(text.strip())
    return WHOLE // int(match[1] or 1) if match else None


def unit_text(unit: int) -> str:
    """Return the spelling of a unit note length."""
    return "1" if unit == WHOLE else f"1/{WHOLE // unit}"


def default_unit(metre: Metre) -> str:
    """Return the unit note length of a tune without one: 1/16 if a bar is shorter than 3/4, else 1/8."""
    return "1/16" if metre.ticks is not None and 4 * metre.ticks < 3 * WHOLE else "1/8"


@lru_cache(maxsize=4096)
def read_length(text: str) -> tuple[int, int]:
    """Return a length's multiple of the unit as (numerator, denominator); (0, 1) if it is not legal."""
    match = _LENGTH.fullmatch(text)
    if match is None or len(text) > 8:
        return 0, 1
    below = match[2]
    denominator = int(below[1:]) if below[1:].isdigit() else 2 ** len(below)
    return (int(match[1] or 1), denominator) if denominator else (0, 1)


def tuplet_time(notes: int, metre: Metre) -> int:
    """Return the default q of a tuplet: ``notes`` notes in the time of q."""
    return {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(notes, 3 if metre.compound else 2)


def spell(ticks: int) -> str:
    """Return a length as a fraction of a whole note: "3/8"."""
    fraction = Fraction(ticks, WHOLE)
    return f"{fraction.numerator}/{fraction.denominator}" if fraction.denominator > 1 else str(fraction.numerator)
