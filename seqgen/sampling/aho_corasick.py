"""Aho-Corasick automata over bytes, which search for many words at once (Aho and Corasick 1975).

A word is followed character by character, and a character byte by byte. Where case is ignored, the characters of one
case class, such as é and É, lead from one state to the same next one, each by its own bytes.

Dimension letters: K states, B bytes, C classes of bytes that all states treat alike.
"""

from __future__ import annotations

import functools
import itertools
import sys
from array import array
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
    return _Trie(words, ignore_case).build()


def build_reader(word: str, *, ignore_case: bool = False) -> Matcher:
    """Return an automaton that reads one word, in the form of ``build_matcher``; -1 after other bytes."""
    return _Trie([word], ignore_case).without_fallbacks()


class _Trie:
    """A trie of words: a state for each prefix of a word, and one for each prefix of a multi-byte character between.

    Args:
        words: the words.
        ignore_case: treat characters that differ in case only as equal.

    Raises:
        BadOption: there are too many states.
    """

    def __init__(self, words: Iterable[str], ignore_case: bool) -> None:
        self._variants = _variants if ignore_case else lambda character: (character,)
        self._n_states = 1
        # Integers in arrays take a fraction of the memory of objects.
        self._sources, self._bytes, self._targets, self._levels, self._ends = (array("i") for _ in range(5))
        before, path = "", [0]  # the last word, and the states of its prefixes
        within: list[dict[bytes, int]] = [{}]  # by prefix of the last word: the states within the next characters
        for word in sorted({"".join(map(_case_class, word)) for word in words} if ignore_case else set(words)):
            same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, word, strict=False))
            n_same = sum(1 for _ in same)
            del path[n_same + 1 :], within[n_same + 1 :]
            for depth in range(n_same, len(word)):
                path.append(self._extend(path[-1], word[depth], depth, within[-1]))
                within.append({})
            self._ends.append(path[-1])
            before = word

    def _extend(self, state: int, character: str, depth: int, within: dict[bytes, int]) -> int:
        """Return a new state after one more character.

        Args:
            state: the state before it.
            character: the character, or its case class.
            depth: whole characters before it.
            within: the states within characters after ``state``, by the bytes read.
        """
        next_state = self._add_state()
        for variant in self._variants(character):
            data, current = variant.encode("utf-8", "surrogatepass"), state
            for end in range(1, len(data)):
                if (read := data[:end]) not in within:
                    within[read] = self._add_state()
                    self._add_arc(current, read[-1], within[read], depth, end)
                current = within[read]
            self._add_arc(current, data[-1], next_state, depth, len(data))
        return next_state

    def _add_state(self) -> int:
        if self._n_states >= MAX_STATES:
            raise _too_many(MAX_STATES)
        self._n_states += 1
        return self._n_states - 1

    def _add_arc(self, source: int, byte: int, target: int, depth: int, place: int) -> None:
        """Add the arc by a byte at a place, from 1, of the character after ``depth`` whole ones."""
        self._sources.append(source)
        self._bytes.append(byte)
        self._targets.append(target)
        self._levels.append(4 * depth + place)

    def build(self) -> Matcher:
        """Return the automaton."""
        next_KC, class_B, ends_K = self._empty(0)
        level_E, source_E, byte_E, target_E = map(np.asarray, (self._levels, self._sources, self._bytes, self._targets))
        order_E = np.argsort(level_E, kind="stable")
        # The fallback of a state is that of its longest proper suffix that is a prefix of a word. This has fewer whole
        # characters, so its row is complete before that of the state is needed.
        for arcs in np.split(order_E, np.flatnonzero(np.diff(level_E[order_E])) + 1):
            source, class_, target = source_E[arcs], class_B[byte_E[arcs]], target_E[arcs]
            fallback = next_KC[source, class_]
            next_KC[source, class_] = target
            next_KC[target] = next_KC[fallback]
            ends_K[target] |= ends_K[fallback]
        return Matcher(next_KC, class_B, ends_K)

    def without_fallbacks(self) -> Matcher:
        """Return the transitions of the trie alone."""
        next_KC, class_B, ends_K = self._empty(-1)
        next_KC[self._sources, class_B[self._bytes]] = self._targets
        return Matcher(next_KC, class_B, ends_K)

    def _empty(self, filling: int) -> Matcher:
        """Return a table (K, C), the class of each byte (B,): one for each byte of a word, and 0 for all others."""
        used = sorted(set(self._bytes))
        class_B = np.zeros(N_BYTES, dtype=np.intp)
        class_B[used] = np.arange(1, len(used) + 1)
        n_classes = len(used) + 1
        if self._n_states * n_classes > MAX_ENTRIES:
            raise _too_many(MAX_ENTRIES // n_classes)
        ends_K = np.zeros(self._n_states, dtype=np.bool_)
        ends_K[self._ends] = True
        return Matcher(np.full((self._n_states, n_classes), filling, dtype=np.int32), class_B, ends_K)


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
