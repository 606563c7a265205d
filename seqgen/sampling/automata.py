"""Deterministic automata for requirements on a whole row, over the bytes of its UTF-8 form.

An automaton reads a row byte by byte from state 0; the row is accepted if no byte leads to -1 and the last state
accepts. In UTF-8 no character occurs within another, so searching for bytes is searching for text.

Dimension letters: K states, B bytes, C classes of bytes that all states treat alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqgen.errors import BadOption, UsageError, short_repr
from seqgen.sampling.aho_corasick import N_BYTES, Matcher, build_matcher, build_reader

MAX_CHARS = 32_000
"""Limit on a length that can be counted, and on a text that can be searched for, in characters."""
_MAX_DIGITS = 9
_MAX_SHOWN = 3  # words of a list that a message shows
_STARTS = np.arange(N_BYTES) & 0xC0 != 0x80  # each character has exactly one byte that is not a continuation byte


@dataclass(frozen=True, eq=False)
class Automaton:
    """A deterministic automaton over bytes.

    Attributes:
        name: the requirement, for messages.
        next_KC: the state after each class of bytes; -1: no row with this beginning is accepted.
        class_B: the class of each byte.
        accepts_K: whether a row may end in a state.
    """

    name: str
    next_KC: npt.NDArray[np.int32]
    class_B: npt.NDArray[np.intp]
    accepts_K: npt.NDArray[np.bool_]

    @classmethod
    def of_bytes(cls, name: str, next_KB: npt.NDArray[np.int32], accepts_K: npt.NDArray[np.bool_]) -> Automaton:
        """Return an automaton by its states after each byte (K, 256)."""
        first_C, class_B = equal_columns([next_KB])
        return cls(name, next_KB[:, first_C], class_B, accepts_K)

    def walk(self, text: bytes) -> int:
        """Return the state after some bytes, or -1."""
        state = 0
        for byte in text:
            state = int(self.next_KC[state, self.class_B[byte]])
            if state < 0:
                break
        return state

    def accepts(self, text: bytes) -> bool:
        """Return whether a whole row is accepted."""
        state = self.walk(text)
        return state >= 0 and bool(self.accepts_K[state])


def equal_columns(tables: Sequence[npt.NDArray[np.integer[Any]]]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return one column of each class (C,), and the class of each column: those of a class are equal in all tables."""
    return equal_groups([table[:, index] for table in tables] for index in range(tables[0].shape[1]))


def equal_groups(
    groups: Iterable[Sequence[npt.NDArray[np.integer[Any]]]],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the index of one group of arrays of each class (C,), and the class of each group."""
    class_of: dict[bytes, int] = {}
    first: list[int] = []
    classes: list[int] = []
    for index, arrays in enumerate(groups):
        digest = hashlib.sha256()  # to keep the arrays would take as much memory as all that is made of them
        for array in arrays:
            digest.update(array.tobytes())
        classes.append(class_of.setdefault(digest.digest(), len(first)))
        if classes[-1] == len(first):
            first.append(index)
    return np.array(first, np.intp), np.array(classes, np.intp)


def contains(words: Sequence[str], *, ignore_case: bool = False) -> Automaton:
    """Return the automaton of rows that contain at least one of some texts."""
    next_KC, class_B, ends_K = build_matcher(map(_check_text, words), ignore_case=ignore_case)
    found = int(ends_K.argmax())  # one state for all rows that contain one
    next_KC[ends_K[next_KC]] = found
    next_KC[found] = found
    return Automaton(f"--contains {_list_words(words, 'or')}", next_KC, class_B, np.arange(len(next_KC)) == found)


def avoids(words: Sequence[str], *, ignore_case: bool = False) -> Automaton:
    """Return the automaton of rows that contain none of some texts."""
    next_KC, class_B, ends_K = build_matcher(map(_check_text, words), ignore_case=ignore_case)
    next_KC[ends_K[next_KC]] = -1
    return Automaton(f"--avoid {_list_words(words, 'and')}", next_KC, class_B, ~ends_K)


def ends(text: str, *, ignore_case: bool = False) -> Automaton:
    """Return the automaton of rows that end with a text."""
    return Automaton(f"--ends {short_repr(text)}", *build_matcher([_check_text(text)], ignore_case=ignore_case))


def template_pieces(pattern: str) -> list[str]:
    r"""Return the texts between the stars of a template; ``\*`` is a star and ``\\`` a backslash."""
    pieces = [""]
    for part in re.findall(r"\\[*\\]|[^*]|\*", pattern, re.DOTALL):
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += part[1:] if len(part) == 2 else part  # a backslash before anything else is itself
    return pieces


def template(pattern: str, *, ignore_case: bool = False) -> Automaton:
    """Return the automaton of rows that consist of some pieces of text in this order, with any text between them.

    Args:
        pattern: the pieces, with a star for the text between two of them, before the first or after the last; it may be
            empty. See ``template_pieces``.
        ignore_case: whether upper and lower case are the same.
    """
    _check_text(pattern)
    begin, *inner = template_pieces(pattern)
    end = inner.pop() if inner else None
    # Each stage searches for a piece; the state in which it is found is the first one of the next stage.
    stages = [(build_reader(begin, ignore_case=ignore_case), False)] if begin else []
    stages += [(build_matcher([piece], ignore_case=ignore_case), False) for piece in inner if piece]
    if end:
        stages.append((build_matcher([end], ignore_case=ignore_case), True))
    elif end is None:  # no star: the row is the text
        stages[-1] = stages[-1][0], True
    else:
        anything = Matcher(
            np.zeros((1, 1), dtype=np.int32), np.zeros(N_BYTES, dtype=np.intp), np.ones(1, dtype=np.bool_)
        )
        stages.append((anything, True))
    tables, accepts, offset = [], [], 0
    for (next_KC, class_B, found_K), is_last in stages:
        next_KB = next_KC[:, class_B]
        after = offset + len(next_KB)
        found_KB = (next_KB >= 0) & found_K[next_KB] & (not is_last)
        tables.append(np.where(next_KB < 0, -1, np.where(found_KB, after, next_KB + offset)).astype(np.int32))
        accepts.append(found_K & is_last)
        offset = after
    return Automaton.of_bytes(f"--template '{pattern:.60}'", np.vstack(tables), np.concatenate(accepts))


def length(least: int, most: int | None) -> Automaton:
    """Return the automaton of rows with a number of characters in a range.

    Args:
        least: minimum number of characters.
        most: maximum number of characters; None: no maximum.
    """
    last = least if most is None else most
    here_K1 = np.arange(last + 1, dtype=np.int32)[:, None]
    further_K1 = np.minimum(here_K1 + 1, last)
    if most is not None:
        further_K1[-1] = -1
    name = f"--length {least}" if least == most else f"--length {least}-{'' if most is None else most}"
    return Automaton.of_bytes(name, np.where(_STARTS, further_K1, here_K1), here_K1[:, 0] >= least)


def well_formed() -> Automaton:
    """Return the automaton of well-formed UTF-8 (RFC 3629, section 4), for symbols that are parts of characters."""
    table_KB = np.full((8, N_BYTES), -1, dtype=np.int32)  # 0: between characters; 1, 2, 3: bytes still missing
    table_KB[0, :0x80] = 0
    table_KB[0, 0xC2:0xE0], table_KB[0, 0xE0:0xF0], table_KB[0, 0xF0:0xF5] = 1, 2, 3
    table_KB[0, [0xE0, 0xED, 0xF0, 0xF4]] = 4, 5, 6, 7  # lead bytes that restrict the second byte
    for state, first, end, after in (
        (1, 0x80, 0xC0, 0), (2, 0x80, 0xC0, 1), (3, 0x80, 0xC0, 2),
        (4, 0xA0, 0xC0, 1), (5, 0x80, 0xA0, 1), (6, 0x90, 0xC0, 2), (7, 0x80, 0x90, 2),
    ):  # fmt: skip
        table_KB[state, first:end] = after
    return Automaton.of_bytes("text", table_KB, np.arange(8) == 0)


def parse_length(text: str) -> tuple[int, int | None]:
    """Return the minimum and maximum number of characters of "5-8", "5", "5-" or "-8"; None: no maximum.

    Raises:
        BadOption: the text has none of these forms, or exceeds the limit.
    """
    least, dash, most = text.strip().partition("-")
    bounds = [part.strip() for part in (least, most if dash else least)]
    if not any(bounds) or not all(part == "" or (part.isascii() and part.isdecimal()) for part in bounds):
        raise BadOption(f"cannot read --length {short_repr(text)}: it has none of the forms 5-8, 5, 5- and -8")
    bounds = [part and (part.lstrip("0") or "0") for part in bounds]
    if any(len(part) > _MAX_DIGITS or int(part or 0) > MAX_CHARS for part in bounds):
        raise BadOption(
            f"cannot count the characters of --length {short_repr(text)}: the limit is {MAX_CHARS:,}; "
            "give a smaller number, or no maximum, as in 5-"
        )
    low, high = int(bounds[0] or 0), int(bounds[1]) if bounds[1] else None
    if high is not None and low > high:
        raise BadOption(f"cannot use --length {text!r}: the minimum {low} is above the maximum {high}; swap them")
    return low, high


def _check_text(text: str) -> str:
    if not text:
        raise UsageError("cannot search rows for an empty text: every row contains it; give at least one character")
    if len(text) > MAX_CHARS:
        raise BadOption(
            f"cannot search rows for {short_repr(text, 30)}: it has {len(text):,} characters, more than the limit of "
            f"{MAX_CHARS:,}; give a shorter text"
        )
    return text


def _list_words(words: Sequence[str], conjunction: str) -> str:
    """Return the first words of a list, as messages show them."""
    if len(words) > _MAX_SHOWN:
        first = ", ".join(map(short_repr, words[:_MAX_SHOWN]))
        return f"{first} {conjunction} {len(words) - _MAX_SHOWN:,} more"
    return f" {conjunction} ".join(map(short_repr, words))
