"""Compilation of regular expressions, and the program of the child process for expensive ones.

The library cannot be interrupted, so an expensive pattern is compiled in a process that can be killed. That process
runs this file alone: it imports neither seqgen nor torch, and sets its own resource limits.
"""

from __future__ import annotations

import sys
from array import array

N_BYTES = 256


class TooManyStates(ValueError):
    """The automaton has more states than allowed."""


# An index of the library lacks the ways on from a text that a pattern matches already, unless the pattern asks for the
# end of the text, and such a pattern may not match the empty text, unless something precedes it.
_BEFORE, _BEHIND = "\\x00", "\\z"
NO_TEXT = "Found no transitions"
"""The beginning of the library's message on a pattern that matches no text."""


def build_table(pattern: str, max_states: int) -> tuple[bytes, bytes, bytes]:
    """Return the automaton over bytes of the texts that a regular expression matches from start to end.

    Args:
        pattern: in the syntax of Rust's ``regex`` crate, without an anchor at its beginning.
        max_states: limit on the states.

    Returns:
        The class of each byte, since all states treat some bytes alike; one byte per state, 1 where a text may end; and
        the next state by state and class of bytes: K rows of C 32-bit integers, -1 for none, starting at state 0.

    Raises:
        TooManyStates: the automaton has more than ``max_states`` states.
        ValueError: the pattern is invalid or not regular.
        ImportError: outlines-core is not installed.
    """
    from outlines_core import Index, Vocabulary

    each = Vocabulary(N_BYTES, {bytes([byte]): [byte] for byte in range(N_BYTES)})
    index = Index(f"{_BEFORE}{pattern}{_BEHIND}", each)
    states = [index.get_next_state(index.get_initial_state(), 0)]
    number = {states[0]: 0}
    table = array("i")
    for state in states:  # grows while it is iterated: the reachable states
        row = [-1] * N_BYTES
        for byte in index.get_allowed_tokens(state) or ():  # the index as dictionaries takes several times the memory
            if byte >= N_BYTES:
                continue  # the library's own end symbol
            after = index.get_next_state(state, byte)
            if after not in number:
                if len(states) >= max_states:
                    raise TooManyStates
                number[after] = len(states)
                states.append(after)
            row[byte] = number[after]
        table.extend(row)
    accepts = bytes(map(index.is_final_state, states))
    if not any(accepts):
        raise ValueError(NO_TEXT)  # outlines-core 0.2.11 says nothing
    del index
    class_of, table = _by_class(table)
    return class_of, accepts, table.tobytes()


def _by_class(table: array[int]) -> tuple[bytes, array[int]]:
    """Return the class of each byte, and a table by state and byte as one by state and class of bytes."""
    columns: dict[bytes, int] = {}
    class_of = bytes(columns.setdefault(table[byte::N_BYTES].tobytes(), len(columns)) for byte in range(N_BYTES))
    by_class = array("i", bytes(table.itemsize * len(table) // N_BYTES * len(columns)))
    for column, class_ in columns.items():
        by_class[class_ :: len(columns)] = array("i", column)
    return class_of, by_class


def _main(folder: str, max_states: int, max_bytes: int, max_seconds: int) -> None:
    """Read a pattern from stdin, and write the result: a line with its kind, then its content."""
    sys.path.append(folder)  # of outlines-core
    try:
        import resource
    except ImportError:  # Windows has only the parent's time limit
        pass
    else:
        for limit, value in (
            (resource.RLIMIT_AS, max_bytes), (resource.RLIMIT_CPU, max_seconds), (resource.RLIMIT_CORE, 0),
        ):  # fmt: skip
            _, hard = resource.getrlimit(limit)
            if hard == resource.RLIM_INFINITY or value <= hard:
                resource.setrlimit(limit, (value, value))
    try:
        parts = build_table(sys.stdin.buffer.read().decode(), max_states)
    except (TooManyStates, MemoryError) as error:
        answer = [type(error).__name__.encode()]
    except ValueError as error:
        answer = [b"ValueError\n", str(error).encode()]
    else:
        answer = [b"table\n", *parts]
    for part in answer:
        sys.stdout.buffer.write(part)


if __name__ == "__main__":
    _main(sys.argv[1], *map(int, sys.argv[2:]))
