"""What can be asked of a whole row, as small deterministic automata over the bytes of its UTF-8 form.

An automaton reads a row byte after byte from state 0; the row is one that was asked for if no byte led to -1 and the
state at the end accepts. UTF-8 never hides a character within another, so to look for bytes is to look for text.

Dimension letters: K states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqgen.errors import BadOption, UsageError
from seqgen.sampling.aho_corasick import N_BYTES, build_matcher

LONGEST = 32_000
"""Characters of a row that can be counted, and of a text that can be looked for."""
_MAX_DIGITS = 9
_MAX_SHOWN = 3  # words of a list, in messages
_STARTS = np.arange(N_BYTES) & 0xC0 != 0x80  # every character has one byte that is no continuation


@dataclass(frozen=True, eq=False)
class Automaton:
    """A deterministic automaton over bytes.

    Attributes:
        name: what was asked, for messages.
        next_KB: the state after each byte (K, 256); -1: no such row is wanted.
        accepts_K: whether a row may end here.
    """

    name: str
    next_KB: npt.NDArray[np.int32]
    accepts_K: npt.NDArray[np.bool_]

    def walk(self, text: bytes, state: int = 0) -> int:
        """The state after some bytes, or -1."""
        for byte in text:
            state = int(self.next_KB[state, byte])
            if state < 0:
                break
        return state

    def accepts(self, text: bytes) -> bool:
        """Whether a whole row is wanted."""
        state = self.walk(text)
        return state >= 0 and bool(self.accepts_K[state])


def contains(words: Sequence[str], *, ignore_case: bool = False) -> Automaton:
    """Return the automaton of rows with at least one of some texts somewhere."""
    table_KB, ends_K = build_matcher(map(_checked, words), ignore_case=ignore_case)
    found = int(ends_K.argmax())  # one state for all that hold one
    table_KB[ends_K[table_KB]] = found
    table_KB[found] = found
    return Automaton(f"contains {_listed(words, 'or')}", table_KB, np.arange(len(table_KB)) == found)


def avoids(words: Sequence[str], *, ignore_case: bool = False) -> Automaton:
    """Return the automaton of rows with none of some texts anywhere."""
    table_KB, ends_K = build_matcher(map(_checked, words), ignore_case=ignore_case)
    table_KB[ends_K[table_KB]] = -1
    return Automaton(f"avoid {_listed(words, 'and')}", table_KB, ~ends_K)


def ends(text: str, *, ignore_case: bool = False) -> Automaton:
    """Return the automaton of rows that end with a text."""
    return Automaton(f"ends {text!r:.60}", *build_matcher([_checked(text)], ignore_case=ignore_case))


def length(least: int, most: int | None) -> Automaton:
    """Rows of so many characters.

    Args:
        least: at least.
        most: at most; None: any number.
    """
    last = least if most is None else most
    here_K1 = np.arange(last + 1, dtype=np.int32)[:, None]
    further_K1 = np.minimum(here_K1 + 1, last)
    if most is not None:
        further_K1[-1] = -1
    name = f"length {least}" if least == most else f"length {least}-{'' if most is None else most}"
    return Automaton(name, np.where(_STARTS, further_K1, here_K1), here_K1[:, 0] >= least)


def well_formed() -> Automaton:
    """Rows that are UTF-8 (RFC 3629, section 4), for symbols that are parts of characters."""
    table_KB = np.full((8, N_BYTES), -1, dtype=np.int32)  # 0: between characters; 1, 2, 3: so many bytes are missing
    table_KB[0, :0x80] = 0
    table_KB[0, 0xC2:0xE0], table_KB[0, 0xE0:0xF0], table_KB[0, 0xF0:0xF5] = 1, 2, 3
    table_KB[0, [0xE0, 0xED, 0xF0, 0xF4]] = 4, 5, 6, 7  # whose second byte has a range of its own
    for state, first, end, after in (
        (1, 0x80, 0xC0, 0), (2, 0x80, 0xC0, 1), (3, 0x80, 0xC0, 2),
        (4, 0xA0, 0xC0, 1), (5, 0x80, 0xA0, 1), (6, 0x90, 0xC0, 2), (7, 0x80, 0x90, 2),
    ):  # fmt: skip
        table_KB[state, first:end] = after
    return Automaton("text", table_KB, np.arange(8) == 0)


def parse_length(text: str) -> tuple[int, int | None]:
    """The least and the most characters of "5-8", "5", "5-" or "-8".

    Raises:
        BadOption: it is none of these, or more than can be counted.
    """
    least, dash, most = text.strip().partition("-")
    bounds = [part.strip() for part in (least, most if dash else least)]
    if not any(bounds) or not all(part == "" or (part.isascii() and part.isdecimal()) for part in bounds):
        raise BadOption(f"--length {text!r:.60} is not of the form 5-8, 5, 5- or -8")
    bounds = [part and (part.lstrip("0") or "0") for part in bounds]
    if any(len(part) > _MAX_DIGITS or int(part or 0) > LONGEST for part in bounds):
        raise BadOption(
            f"cannot count the characters of --length {text!r:.60}: the limit is {LONGEST:,}; "
            "ask for fewer, or leave the end open, as in 5-"
        )
    low, high = int(bounds[0] or 0), int(bounds[1]) if bounds[1] else None
    if high is not None and low > high:
        raise BadOption(f"--length {text!r}: {low} is more than {high}")
    return low, high


def _checked(text: str) -> str:
    if not text:
        raise UsageError("an empty text is in every row, so it can be neither asked for nor avoided")
    if len(text) > LONGEST:
        raise BadOption(
            f"cannot look for {text!r:.30}...: it has {len(text):,} characters, more than the limit of {LONGEST:,}; "
            "ask for a shorter text"
        )
    return text


def _listed(words: Sequence[str], conjunction: str) -> str:
    """Words as messages show them: the first ones."""
    if len(words) > _MAX_SHOWN:
        first = ", ".join(f"{word!r:.60}" for word in words[:_MAX_SHOWN])
        return f"{first} {conjunction} {len(words) - _MAX_SHOWN:,} more"
    return f" {conjunction} ".join(f"{word!r:.60}" for word in words)
