"""Aho-Corasick automata over bytes, which search for many words at once (Aho and Corasick 1975).

A word is followed character by character, and a character byte by byte. Where case is ignored, the characters of one
case class, such as é and É, lead from one state to the same next one, each by its own bytes.

Dimension letters: K states.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from seqgen.errors import BadOption

MAX_STATES = 100_000
"""Limit on the states of one automaton; a state takes one kilobyte."""
N_BYTES = 256


def build_matcher(
    words: Iterable[str], *, ignore_case: bool = False
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return an automaton that finds each position where a word ends.

    Args:
        words: the words to search for, none of them empty.
        ignore_case: treat characters that differ in case only as equal.

    Returns:
        The state after each byte (K, 256), from state 0; and whether a word ends in each state (K,).

    Raises:
        BadOption: the automaton has more than ``MAX_STATES`` states.
    """
    trie = _Trie(ignore_case)
    for word in words:
        trie.add(word)
    return trie.build()


def build_reader(word: str, *, ignore_case: bool = False) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return an automaton that reads one word, in the form of ``build_matcher``; -1 after other bytes."""
    trie = _Trie(ignore_case)
    trie.add(word)
    return trie.without_fallbacks()


class _Trie:
    """A trie of words: a state for each prefix of a word, and one for each prefix of a multi-byte character between."""

    def __init__(self, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._after: list[dict[int, int]] = [{}]  # the next state by byte
        self._characters: list[dict[str, int]] = [{}]  # the next state by character, case ignored or not
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
        if (known := self._characters[state].get(key)) is not None:
            return known
        next_state = self._add_state(self._depth[state] + 1)
        self._characters[state][key] = next_state
        for variant in _variants(key) if self._ignore_case else (character,):
            *before, last = variant.encode("utf-8", "surrogatepass")
            current = state
            for byte in before:
                if byte not in self._after[current]:
                    self._after[current][byte] = self._add_state(self._depth[state])
                current = self._after[current][byte]
            self._after[current][last] = next_state
        return next_state

    def _add_state(self, depth: int) -> int:
        if len(self._depth) >= MAX_STATES:
            raise BadOption(
                f"cannot search rows for so many words: their automaton has more than {MAX_STATES:,} states, the "
                "limit; give fewer or shorter ones"
            )
        self._after.append({})
        self._characters.append({})
        self._depth.append(depth)
        self._is_word.append(False)
        return len(self._depth) - 1

    def build(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Return the transition table (K, 256), and whether a word ends in each state (K,)."""
        n_states = len(self._depth)
        table_KB = np.zeros((n_states, N_BYTES), dtype=np.int32)
        ends_K = np.array(self._is_word)
        fallback = [0] * n_states  # the state of the longest proper suffix that is a prefix of a word
        # That suffix has fewer whole characters, so its row is complete before the row of the state is built.
        for state in sorted(range(n_states), key=self._depth.__getitem__):
            if state:
                table_KB[state] = table_KB[fallback[state]]
                ends_K[state] |= ends_K[fallback[state]]
            for byte, next_state in self._after[state].items():
                fallback[next_state] = int(table_KB[state, byte]) if state else 0
                table_KB[state, byte] = next_state
        return table_KB, ends_K

    def without_fallbacks(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Return the transitions of the trie alone (K, 256), else -1, and whether a word ends in each state (K,)."""
        table_KB = np.full((len(self._depth), N_BYTES), -1, dtype=np.int32)
        for state, after in enumerate(self._after):
            table_KB[state, list(after)] = list(after.values())
        return table_KB, np.array(self._is_word)


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
