"""What can be asked of a whole row, as small deterministic automata over the bytes of its UTF-8 form.

An automaton reads a row byte after byte from state 0; the row is one that was asked for if no byte led to -1 and the
state at the end accepts. UTF-8 never hides a character within another, so to look for bytes is to look for text.

Dimension letters: K states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqgen.errors import BadOption, MissingExtra, UsageError

_BYTES = 256
_STARTS = np.arange(_BYTES) & 0xC0 != 0x80  # every character has one byte that is no continuation


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


def _prefixes(pattern: bytes) -> npt.NDArray[np.int32]:
    """How much of a pattern's beginning the bytes read so far end with (Knuth, Morris, Pratt 1977, section 2)."""
    table_KB = np.zeros((len(pattern) + 1, _BYTES), dtype=np.int32)
    table_KB[0, pattern[0]] = 1
    fallback = 0
    for matched, byte in enumerate(pattern[1:], 1):
        table_KB[matched] = table_KB[fallback]
        table_KB[matched, byte] = matched + 1
        fallback = table_KB[fallback, byte]
    table_KB[-1] = table_KB[fallback]
    return table_KB


def contains(text: str) -> Automaton:
    """Rows with a text somewhere."""
    table_KB = _prefixes(_encoded(text))
    last = len(table_KB) - 1
    table_KB[last] = last
    return Automaton(f"contains {text!r}", table_KB, np.arange(last + 1) == last)


def avoids(text: str) -> Automaton:
    """Rows with a text nowhere."""
    table_KB = _prefixes(_encoded(text))[:-1]
    table_KB[table_KB == len(table_KB)] = -1
    return Automaton(f"avoid {text!r}", table_KB, np.ones(len(table_KB), dtype=bool))


def ends(text: str) -> Automaton:
    """Rows that end with a text."""
    table_KB = _prefixes(_encoded(text))
    return Automaton(f"ends {text!r}", table_KB, np.arange(len(table_KB)) == len(table_KB) - 1)


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
    table_KB = np.full((8, _BYTES), -1, dtype=np.int32)  # 0: between characters; 1, 2, 3: so many bytes are missing
    table_KB[0, :0x80] = 0
    table_KB[0, 0xC2:0xE0], table_KB[0, 0xE0:0xF0], table_KB[0, 0xF0:0xF5] = 1, 2, 3
    table_KB[0, [0xE0, 0xED, 0xF0, 0xF4]] = 4, 5, 6, 7  # whose second byte has a range of its own
    for state, first, end, after in (
        (1, 0x80, 0xC0, 0), (2, 0x80, 0xC0, 1), (3, 0x80, 0xC0, 2),
        (4, 0xA0, 0xC0, 1), (5, 0x80, 0xA0, 1), (6, 0x90, 0xC0, 2), (7, 0x80, 0x90, 2),
    ):  # fmt: skip
        table_KB[state, first:end] = after
    return Automaton("text", table_KB, np.arange(8) == 0)


def regex(pattern: str) -> Automaton:
    """Rows that a regular expression matches from end to end, in the syntax of Rust's ``regex`` crate.

    Raises:
        MissingExtra: outlines-core is not installed.
        BadOption: it is no regular expression, or one that no automaton has: look-around, back references.
    """
    try:
        from outlines_core import Index, Vocabulary
    except ImportError:
        raise MissingExtra("constrain", "--regex") from None
    try:
        index: Any = Index(f"(?:{pattern})", Vocabulary(_BYTES, {bytes([byte]): [byte] for byte in range(_BYTES)}))
    except ValueError as error:
        raise BadOption(f"--regex {pattern!r}: {_slip(pattern, str(error))}") from None
    transitions: dict[int, dict[int, int]] = index.get_transitions()
    accepting = index.get_final_states()
    states = [index.get_initial_state()]
    number = {states[0]: 0}
    edges: list[tuple[int, int, int]] = []
    for here, state in enumerate(states):  # grows while it is read: the states that can be reached
        for byte, after in transitions.get(state, {}).items():
            if byte >= _BYTES:
                continue  # the library's own end
            if after not in number:
                number[after] = len(states)
                states.append(after)
            edges.append((here, byte, number[after]))
    table_KB = np.full((len(states), _BYTES), -1, dtype=np.int32)
    for here, byte, there in edges:
        table_KB[here, byte] = there
    return Automaton(f"regex {pattern!r}", table_KB, np.array([state in accepting for state in states]))


def _slip(pattern: str, complaint: str) -> str:
    """What is wrong with a regular expression; the library's own words are of its workings."""
    import re

    if "anchored" in complaint:
        return "a row is matched as a whole, so leave out ^"
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{error.msg}" + ("" if error.pos is None else f" at position {error.pos}")
    if "word boundar" in complaint or re.search(r"\(\?[=!<]|\\[bB1-9]", pattern):
        return "look-around, word boundaries and back references cannot be asked for"
    return " ".join(complaint.split())


def parse_length(text: str) -> tuple[int, int | None]:
    """The least and the most characters of "5-8", "5", "5-" or "-8".

    Raises:
        BadOption: it is none of these.
    """
    least, dash, most = text.strip().partition("-")
    bounds = [part.strip() for part in (least, most if dash else least)]
    if not any(bounds) or not all(part == "" or (part.isascii() and part.isdecimal()) for part in bounds):
        raise BadOption(f"--length {text!r} is not of the form 5-8, 5, 5- or -8")
    low, high = int(bounds[0] or 0), int(bounds[1]) if bounds[1] else None
    if high is not None and low > high:
        raise BadOption(f"--length {text!r}: {low} is more than {high}")
    return low, high


def _encoded(text: str) -> bytes:
    if not text:
        raise UsageError("an empty text is in every row, so it can be neither asked for nor avoided")
    return text.encode("utf-8", "surrogatepass")
