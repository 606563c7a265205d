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


def build_table(pattern: str, max_states: int) -> tuple[array[int], bytes]:
    """Return the automaton over bytes of the texts that a regular expression matches from start to end.

    Args:
        pattern: in the syntax of Rust's ``regex`` crate.
        max_states: limit on the states.

    Returns:
        The next state by state and byte: K rows of 256 32-bit integers, -1 for none, starting at state 0; and one byte
            per
        state, 1 where a text may end.

    Raises:
        TooManyStates: the automaton has more than ``max_states`` states.
        ValueError: the pattern is invalid or not regular.
        ImportError: outlines-core is not installed.
    """
    from outlines_core import Index, Vocabulary

    index = Index(pattern, Vocabulary(N_BYTES, {bytes([byte]): [byte] for byte in range(N_BYTES)}))
    transitions: dict[int, dict[int, int]] = index.get_transitions()
    if len(transitions) > max_states:
        raise TooManyStates
    accepting: set[int] = index.get_final_states()
    states = [index.get_initial_state()]
    number = {states[0]: 0}
    table = array("i")
    for state in states:  # grows while it is iterated: the reachable states
        row = [-1] * N_BYTES
        for byte, after in transitions.get(state, {}).items():
            if byte >= N_BYTES:
                continue  # the library's own end symbol
            if after not in number:
                number[after] = len(states)
                states.append(after)
            row[byte] = number[after]
        table.extend(row)
    return table, bytes(state in accepting for state in states)


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
        table, accepts = build_table(sys.stdin.buffer.read().decode(), max_states)
    except (TooManyStates, MemoryError) as error:
        answer = [type(error).__name__.encode()]
    except ValueError as error:
        answer = [b"ValueError\n", str(error).encode()]
    else:
        answer = [b"table\n", accepts, table.tobytes()]
    for part in answer:
        sys.stdout.buffer.write(part)


if __name__ == "__main__":
    _main(sys.argv[1], *map(int, sys.argv[2:]))
