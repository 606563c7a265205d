"""Tables of regular expressions, and the program of the child process that builds large ones.

The library that builds them cannot be interrupted, so a large one is built in a process that can be ended. That runs
this file alone: it imports neither seqgen nor torch, and limits itself.
"""

from __future__ import annotations

import sys
from array import array

N_BYTES = 256


class TooManyStates(ValueError):
    """The automaton has more states than it may."""


def build_table(pattern: str, most_states: int) -> tuple[array[int], bytes]:
    """Return the automaton of the texts that a regular expression matches from end to end, over bytes.

    Args:
        pattern: in the syntax of Rust's ``regex`` crate.
        most_states: the limit.

    Returns:
        The state after each byte, K rows of 256 numbers of 32 bits, -1 for none, from state 0; and a byte for each
        state, 1 where a text may end.

    Raises:
        TooManyStates: it has more than ``most_states``.
        ValueError: it is no regular expression, or one that no automaton has.
        ImportError: outlines-core is not installed.
    """
    from outlines_core import Index, Vocabulary

    index = Index(pattern, Vocabulary(N_BYTES, {bytes([byte]): [byte] for byte in range(N_BYTES)}))
    transitions: dict[int, dict[int, int]] = index.get_transitions()
    if len(transitions) > most_states:
        raise TooManyStates
    accepting: set[int] = index.get_final_states()
    states = [index.get_initial_state()]
    number = {states[0]: 0}
    table = array("i")
    for state in states:  # grows while it is read: the states that can be reached
        row = [-1] * N_BYTES
        for byte, after in transitions.get(state, {}).items():
            if byte >= N_BYTES:
                continue  # the library's own end
            if after not in number:
                number[after] = len(states)
                states.append(after)
            row[byte] = number[after]
        table.extend(row)
    return table, bytes(state in accepting for state in states)


def _main(folder: str, most_states: int, most_bytes: int, most_seconds: int) -> None:
    """Read a pattern from stdin, and write what came of it, a line that says so first."""
    sys.path.append(folder)  # where outlines-core is
    try:
        import resource
    except ImportError:  # Windows: the parent's limit on time is the only one
        pass
    else:
        for limit, most in (
            (resource.RLIMIT_AS, most_bytes), (resource.RLIMIT_CPU, most_seconds), (resource.RLIMIT_CORE, 0),
        ):  # fmt: skip
            _, hard = resource.getrlimit(limit)
            if hard == resource.RLIM_INFINITY or most <= hard:
                resource.setrlimit(limit, (most, most))
    try:
        table, accepts = build_table(sys.stdin.buffer.read().decode(), most_states)
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
