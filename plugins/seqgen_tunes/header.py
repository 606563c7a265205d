"""Parsing of a tune's header: metre, unit note length and key; other fields are allowed and ignored."""

from __future__ import annotations

import re
from typing import Any

from seqgen_tunes.keys import Key, read_key
from seqgen_tunes.metres import Metre, read_metre, read_unit
from seqgen_tunes.tune import Tune

_LINE = re.compile(r"([A-Za-z]):([^\n]*)(?:\n|$)")
_OTHER = set("ABCDFGHINOPQRSTXZ")
_NEEDED = {"M": "metre", "L": "unit note length", "K": "key"}


def read_field(letter: str, value: str) -> Metre | Key | int | None:
    """Parse the value of a field M, L or K; None if it is not legal."""
    return {"M": read_metre, "L": read_unit, "K": read_key}[letter](value)


def read_header(text: str, tune: Tune) -> int:
    """Parse the header into the tune, with its problems.

    Returns:
        The position where the body starts: after the line of the key, which ends a header.
    """
    at, seen = 0, set[str]()
    values: dict[str, Any] = {}
    while "K" not in seen and (match := _LINE.match(text, at)):
        letter, value = match[1], match[2]
        if letter in _NEEDED:
            seen.add(letter)
            values[letter] = read_field(letter, value)
            if values[letter] is None:
                tune.problems.append(f"{letter + ':' + value[:20].strip()!r} is not a legal {_NEEDED[letter]}")
        elif letter not in _OTHER:
            tune.problems.append(f"unsupported header field {letter}:")
        at = match.end()
    missing = [letter for letter in _NEEDED if letter not in seen]
    if missing:
        line = text[at:].split("\n", 1)[0][:20]
        tune.problems.append(f"field {missing[0]}: is missing from the header, which ends before {line!r}")
    tune.metre, tune.unit, tune.key = values.get("M"), values.get("L"), values.get("K")
    return at
