"""Checks of augmentations."""

from __future__ import annotations

from random import Random
from typing import Any

from seqgen.errors import short_repr
from seqgen.testing.check import Subject
from seqgen.testing.exercise import AUGMENTATION_SEEDS, must_not_raise


def _apply(augment: Any, text: str, random: Random) -> str:
    written = augment(text, random)
    assert isinstance(written, str), f"{short_repr(text)} becomes {short_repr(written)}, not a text"
    return written


def written(subject: Subject) -> None:
    """Check that a text becomes a text; an empty text, which no record is, may become anything."""
    augment = subject.build()
    for text in subject.texts:
        for seed in AUGMENTATION_SEEDS:
            found = _apply(augment, text, Random(seed))
            assert found or not text, f"{text!r} becomes {found!r}"


def seeded(subject: Subject) -> None:
    """Check that equal random numbers give equal texts, and that no others are used."""
    augment, again = subject.build(), subject.build()
    for text in subject.texts:
        for seed in AUGMENTATION_SEEDS:
            found = [_apply(one, text, Random(seed)) for one in (augment, augment, again)]
            assert len(set(found)) == 1, f"{text!r} differs for the same random numbers"


def hostile_strings(subject: Subject) -> None:
    """Check that it raises on no string."""
    augment = subject.build()
    must_not_raise(lambda text: _apply(augment, text, Random(1)))
