"""The order of fields says nothing: each epoch sees another one."""

from __future__ import annotations

import re
from random import Random

import seqgen

_FIELD = re.compile(r"[a-z][a-z0-9_]*=")


def load() -> seqgen.Augmentation:
    """The augmentation; it has no options."""
    return shuffle_fields


def shuffle_fields(text: str, random: Random) -> str:
    """The lines of a text in random order if all of them are ``name=value``, else the text itself."""
    lines = text.split("\n")
    if not all(map(_FIELD.match, lines)):
        return text
    random.shuffle(lines)
    return "\n".join(lines)
