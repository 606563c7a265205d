"""What augmentations promise."""

from __future__ import annotations

from random import Random
from typing import Any

from seqgen.testing.check import Subject
from seqgen.testing.exercise import must_not_raise


def _write(augment: Any, text: str, random: Random) -> str:
    written = augment(text, random)
    assert isinstance(written, str), f"{text!r:.60} becomes {written!r:.60}"
    return written


def written(subject: Subject) -> None:
    """It gives a text for a text; an empty one, which no record is, may become anything."""
    augment = subject.build()
    for text in subject.texts:
        found = _write(augment, text, Random(1))
        assert found or not text, f"{text!r} becomes {found!r}"


def seeded(subject: Subject) -> None:
    """For the same random numbers it writes the same, and it draws from no others."""
    augment, again = subject.build(), subject.build()
    for text in subject.texts:
        found = [_write(one, text, Random(1)) for one in (augment, augment, again)]
        assert len(set(found)) == 1, f"{text!r} differs for the same random numbers"


def hostile_strings(subject: Subject) -> None:
    """It never raises, on any string."""
    augment = subject.build()
    must_not_raise(lambda text: _write(augment, text, Random(1)))
