"""Augmentation that shuffles the fields of a record, whose order carries no information."""

from __future__ import annotations

import re
from random import Random

import seqgen

_FIELD = re.compile(r"[a-z][a-z0-9_]*=")


def load() -> seqgen.Augmentation:
    """Return the augmentation; it has no options."""
    return shuffle_fields


def shuffle_fields(text: str, random: Random) -> str:
    """Shuffle the lines of a text if all of them are ``name=value``; else return it unchanged."""
    lines = text.split("\n")
    if not all(map(_FIELD.match, lines)):
        return text
    random.shuffle(lines)
    return "\n".join(lines)
