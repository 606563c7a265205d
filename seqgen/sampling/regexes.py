"""Regular expressions as automata over bytes, within limits on their size, time and memory.

Dimension letters: K states.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np

from seqgen.errors import BadOption, MissingExtra, UsageError
from seqgen.sampling import regex_child
from seqgen.sampling.aho_corasick import MAX_STATES, N_BYTES
from seqgen.sampling.automata import Automaton

_MAX_CHARS = 10_000  # of a pattern
_DEEPEST = 100  # groups in groups; the library follows 250, and Python's parser fewer
_MAX_PLACES = 50_000  # symbols and classes with repetitions written out
_FEW_PLACES = 8  # of which the slowest pattern takes 0.2 s: built in this process
MAX_SECONDS = 10.0
_MAX_BYTES = 2_000_000_000  # of the address space of a child process
_REPEAT = re.compile(r"\{\s*(\d*)\s*(?:(,)\s*(\d*)\s*)?\}")
_LONG_ESCAPE = re.compile(r"\\(?:[pPxuU]\{[^}]*\}|.)", re.DOTALL)
_GROUP = re.compile(r"\((?:\?(?:P?<\w+>|[a-zA-Z-]*:|(?P<flags>[a-zA-Z-]+)\)))?")


def regex(pattern: str, *, ignore_case: bool = False) -> Automaton:
    """Return the automaton of rows that a regular expression matches from end to end.

    The syntax is that of Rust's ``regex`` crate. What may be large is built in a child process, which is
    ended when it takes too long or a signal comes.

    Raises:
        MissingExtra: outlines-core is not installed.
        BadOption: it is no regular expression, one that no automaton has (look-around, back references), or one beyond
            a limit.
    """
    found = importlib.util.find_spec("outlines_core")
    if found is None or found.origin is None:
        raise MissingExtra("constrain", "--regex")
    name = f"--regex {pattern!r:.60}"
    whole = f"(?{'i' if ignore_case else ''}:{pattern})"
    try:
        n_places = _count_places(pattern)
        if n_places <= _FEW_PLACES:
            table, accepts = regex_child.build_table(whole, MAX_STATES)
            return _automaton(pattern, table.tobytes(), accepts)
        return _automaton(pattern, *_build_in_child(whole, Path(found.origin).parent.parent))
    except regex_child.TooManyStates:
        raise BadOption(_beyond(name, f"its automaton has more than {MAX_STATES:,} states")) from None
    except _Beyond as beyond:
        raise BadOption(_beyond(name, str(beyond))) from None
    except ImportError:
        raise MissingExtra("constrain", "--regex") from None
    except ValueError as error:
        raise BadOption(f"{name}: {_slip(pattern, str(error))}") from None


class _Beyond(Exception):
    """A limit is met; the message says which."""


def _beyond(name: str, limit: str) -> str:
    return f"cannot build the automaton of {name}: {limit}, the limit; ask for less, such as fewer repetitions"


def _automaton(pattern: str, table: bytes, accepts: bytes) -> Automaton:
    table_KB = np.frombuffer(table, dtype=np.int32).reshape(-1, N_BYTES)
    return Automaton(f"regex {pattern!r:.60}", table_KB, np.frombuffer(accepts, dtype=np.uint8) == 1)


def _build_in_child(pattern: str, folder: Path) -> tuple[bytes, bytes]:
    """The table and the ends of a pattern, from a child process.

    Args:
        pattern: the pattern.
        folder: where outlines-core is.

    Raises:
        _Beyond: a limit is met.
        ValueError: the library refuses the pattern.
    """
    limits = (MAX_STATES, _MAX_BYTES, round(MAX_SECONDS) + 1)
    command = [sys.executable, "-P", regex_child.__file__, str(folder), *map(str, limits)]
    try:
        child = subprocess.Popen(  # noqa: S603  # our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise UsageError(f"cannot start a process that builds --regex: {error.strerror or error}") from error
    with child:
        try:
            answer, _ = child.communicate(pattern.encode(), timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            raise _Beyond(f"it takes more than {MAX_SECONDS:g} s") from None
        finally:
            child.kill()  # also where a signal came
    kind, _, rest = answer.partition(b"\n")
    if kind == b"table":
        n_states = len(rest) // (4 * N_BYTES + 1)
        return rest[n_states:], rest[:n_states]
    if kind == b"TooManyStates":
        raise regex_child.TooManyStates
    if kind == b"ValueError":
        raise ValueError(rest.decode())
    raise _Beyond(f"it takes more than {_MAX_BYTES // 10**6:,} MB of memory")


def _count_places(pattern: str) -> int:
    """Return the number of symbols and classes in a pattern, with its counted repetitions written out.

    It is a measure only, of patterns that may be wrong: the library says what is wrong with them.

    Raises:
        _Beyond: the pattern is too long, nested too deeply, or has too many.
        ValueError: a parenthesis is closed that was not opened.
    """
    if len(pattern) > _MAX_CHARS:
        raise _Beyond(f"it has {len(pattern):,} characters, more than {_MAX_CHARS:,}")
    groups, last, at = [0], 0, 0  # places of each open group; of the last symbol, class or group
    while at < len(pattern):
        character = pattern[at]
        size = 1
        if character == "(":
            opened = _GROUP.match(pattern, at)
            assert opened is not None
            if "x" in (opened[0] if opened["flags"] is None else opened["flags"]).partition(":")[0]:
                return _MAX_PLACES  # white space and comments, which are not followed here
            at, last = opened.end(), 0
            groups += [0] if opened["flags"] is None else []
            if len(groups) > _DEEPEST:
                raise _Beyond(f"it is nested more than {_DEEPEST} deep")
            continue
        if character == ")":
            if len(groups) == 1:
                raise ValueError("unbalanced parenthesis")  # which would close the group around the whole pattern
            size, at = groups.pop(), at + 1
        elif (repeat := _REPEAT.match(pattern, at)) is not None and last:
            most = int((repeat[3] or repeat[1] or "1")[:9]) + (1 if repeat[2] and not repeat[3] else 0)
            size, at = last * max(most - 1, 0), repeat.end()
            last += size
            groups[-1] += size
            size = 0
        elif character in "*+?|^$":
            size, at = 0, at + 1
        elif character == "[":
            at = _class_end(pattern, at)
        elif character == "\\":
            escape = _LONG_ESCAPE.match(pattern, at)
            at = at + 1 if escape is None else escape.end()
        else:
            at += 1
        if size:
            last = size
            groups[-1] += size
        if groups[-1] > _MAX_PLACES:
            raise _Beyond(f"written out it has more than {_MAX_PLACES:,} symbols")
    return sum(groups)


def _class_end(pattern: str, at: int) -> int:
    """Where a class that begins with a bracket ends; classes lie in classes."""
    depth = 0
    first = -1  # where a closing bracket is a symbol
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == "[":
            depth += 1
            first = at + (2 if pattern[at + 1 : at + 2] == "^" else 1)
        elif pattern[at] == "]" and at != first:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    return at


def _slip(pattern: str, complaint: str) -> str:
    """Return what is wrong with a regular expression; the library's own words are of its workings."""
    if "anchored" in complaint:
        return "a row is matched as a whole, so leave out ^"
    try:
        with warnings.catch_warnings(action="ignore"):  # of what Python may read otherwise one day
            re.compile(pattern)
    except re.error as error:
        return f"{error.msg}" + ("" if error.pos is None else f" at position {error.pos}")
    except (OverflowError, RecursionError):
        return "it is too large to be read"
    if "word boundar" in complaint or re.search(r"\(\?[=!<]|\\[bB1-9]", pattern):
        return "look-around, word boundaries and back references cannot be asked for"
    if "building NFA" in complaint:
        return "that is not in the syntax of Rust's crate regex (https://docs.rs/regex)"
    return " ".join(complaint.split())
