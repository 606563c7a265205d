"""Aho-Corasick automata over bytes, which search for many words at once (Aho and Corasick 1975).

A word is followed character by character, and a character byte by byte. Where case is ignored, the characters of one
case class, such as é and É, lead from one state to the same next one, each by its own bytes.

Dimension letters: K states, B bytes, C classes of bytes that all states treat alike.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seqgen.errors import BadOption

MAX_STATES = 500_000
"""Limit on the states of one automaton."""
MAX_ENTRIES = 25_600_000
"""Limit on its states times the classes of bytes; an entry takes four bytes."""
N_BYTES = 256


class Matcher(NamedTuple):
    """The transitions of an automaton from state 0.

    Attributes:
        next_KC: the state after each class of bytes; -1: none.
        class_B: the class of each byte.
        ends_K: whether a word ends in each state.
    """

    next_KC: npt.NDArray[np.int32]
    class_B: npt.NDArray[np.intp]
    ends_K: npt.NDArray[np.bool_]


def build_matcher(words: Iterable[str], *, ignore_case: bool = False) -> Matcher:
    """Return an automaton that finds each position where a word ends.

    Args:
        words: the words to search for, none of them empty.
        ignore_case: treat characters that differ in case only as equal.

    Raises:
        BadOption: the automaton has too many states.
    """
    trie = _Trie(ignore_case)
    for word in words:
        trie.add(word)
    return trie.build()


def build_reader(word: str, *, ignore_case: bool = False) -> Matcher:
    """Return an automaton that reads one word, in the form of ``build_matcher``; -1 after other bytes."""
    trie = _Trie(ignore_case)
    trie.add(word)
    return trie.without_fallbacks()


class _Trie:
    """A trie of words: a state for each prefix of a word, and one for each prefix of a multi-byte character between."""

    def __init__(self, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        # One dictionary for all states takes a fraction of the memory of one for each.
        self._after: dict[int, int] = {}  # the next state by state x 256 + byte
        self._characters: dict[int, int] = {}  # by state x number of code points + code point, case ignored or not
        self._depth = [0]  # whole characters read before each state
        self._is_word = [False]

    def add(self, word: str) -> None:
        """Add a word."""
        state = 0
        for character in word:
            state = self._extend(state, character)
        self._is_word[state] = True

    def _extend(self, state: int, character: str) -> int:
        """Return the state after one more character, adding it if needed."""
        key = _case_class(character) if self._ignore_case else character
        code = state * (sys.maxunicode + 1) + ord(key)
        if (known := self._characters.get(code)) is not None:
            return known
        next_state = self._characters[code] = self._add_state(self._depth[state] + 1)
        for variant in _variants(key) if self._ignore_case else (character,):
            *before, last = variant.encode("utf-8", "surrogatepass")
            current = state
            for byte in before:
                code = current * N_BYTES + byte
                if code not in self._after:
                    self._after[code] = self._add_state(self._depth[state])
                current = self._after[code]
            self._after[current * N_BYTES + last] = next_state
        return next_state

    def _add_state(self, depth: int) -> int:
        if len(self._depth) >= MAX_STATES:
            raise _too_many(MAX_STATES)
        self._depth.append(depth)
        self._is_word.append(False)
        return len(self._depth) - 1

    def build(self) -> Matcher:
        """Return the automaton."""
        next_KC, class_B = self._empty(0)
        ends_K = np.array(self._is_word)
        n_states = len(next_KC)
        source_E, byte_E = np.divmod(np.fromiter(self._after, dtype=np.int64, count=len(self._after)), N_BYTES)
        target_E = np.fromiter(self._after.values(), dtype=np.int64, count=len(self._after))
        order_E = np.argsort(source_E, kind="stable")
        first_K = np.searchsorted(source_E[order_E], np.arange(n_states + 1)).tolist()
        arcs = list(zip(class_B[byte_E[order_E]].tolist(), target_E[order_E].tolist(), strict=True))
        fallback = [0] * n_states  # the state of the longest proper suffix that is a prefix of a word
        # That suffix has fewer whole characters, so its row is complete before the row of the state is built.
        for state in sorted(range(n_states), key=self._depth.__getitem__):
            if state:
                next_KC[state] = next_KC[fallback[state]]
                ends_K[state] |= ends_K[fallback[state]]
            for class_, next_state in arcs[first_K[state] : first_K[state + 1]]:
                fallback[next_state] = int(next_KC[state, class_]) if state else 0
                next_KC[state, class_] = next_state
        return Matcher(next_KC, class_B, ends_K)

    def without_fallbacks(self) -> Matcher:
        """Return the transitions of the trie alone."""
        next_KC, class_B = self._empty(-1)
        for code, next_state in self._after.items():
            next_KC[code // N_BYTES, class_B[code % N_BYTES]] = next_state
        return Matcher(next_KC, class_B, np.array(self._is_word))

    def _empty(self, filling: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.intp]]:
        """Return a table (K, C), and the class of each byte (B,): one for each byte of a word, and 0 for all others."""
        used = sorted({code % N_BYTES for code in self._after})
        class_B = np.zeros(N_BYTES, dtype=np.intp)
        class_B[used] = np.arange(1, len(used) + 1)
        n_states, n_classes = len(self._depth), len(used) + 1
        if n_states * n_classes > MAX_ENTRIES:
            raise _too_many(MAX_ENTRIES // n_classes)
        return np.full((n_states, n_classes), filling, dtype=np.int32), class_B


def _too_many(limit: int) -> BadOption:
    return BadOption(
        f"cannot search rows for so many words: their automaton has more than {limit:,} states, the limit; "
        "give fewer or shorter ones"
    )


def _case_class(character: str) -> str:
    """Return one character that represents all that differ from this one in case only."""
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character


def _variants(case_class: str) -> tuple[str, ...]:
    """Return the characters of a case class."""
    if case_class.isascii() and not case_class.isalpha():
        return (case_class,)
    return _all_variants().get(case_class, (case_class,))


@functools.cache
def _all_variants() -> dict[str, tuple[str, ...]]:
    """Return the characters of each case class that has several."""
    found: dict[str, list[str]] = {}
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if (key := _case_class(character)) != character:
            found.setdefault(key, [key]).append(character)
    return {key: tuple(characters) for key, characters in found.items()}
