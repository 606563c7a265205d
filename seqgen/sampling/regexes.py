"""Regular expressions as automata over bytes, within limits on size, time and memory.

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

from seqgen.errors import BadOption, MissingExtra, UsageError, short_repr
from seqgen.sampling import regex_child
from seqgen.sampling.aho_corasick import N_BYTES
from seqgen.sampling.automata import Automaton

_MAX_CHARS = 10_000  # of a pattern
_MAX_DEPTH = 100  # nested groups; the library allows 250, and Python's parser fewer
_MAX_SYMBOLS = 50_000  # symbols and classes, repetitions expanded
_INLINE_SYMBOLS, _INLINE_CLASSES = 8, 1  # up to which a pattern takes at most 0.2 s, so it is built in this process
_LARGE_CLASS = re.compile(r"\\[wWdDsSpP]|\[\^")  # of thousands of characters
_ANCHORED = "anchored"  # stands for the message about an anchor
_ANCHOR = re.compile(r"(?<![\[\\])\^|\\A")
MAX_SECONDS = 10.0
MAX_STATES = 100_000
"""Limit on the states of the automaton of a pattern; while it is built, a state takes one kilobyte."""
_MAX_BYTES = 250_000_000  # of the address space of a child process
_REPEAT = re.compile(r"\{\s*(\d*)\s*(?:(,)\s*(\d*)\s*)?\}")
_LONG_ESCAPE = re.compile(r"\\(?:[pPxuU]\{[^}]*\}|.)", re.DOTALL)
_VERBOSE = re.compile(r"\(\?[a-zA-Z]*x[a-zA-Z]*\)")
_GROUP = re.compile(r"\((?:\?(?:P?<\w+>|(?P<own>[a-zA-Z-]*):|(?P<flags>[a-zA-Z-]+)\)))?")


def regex(pattern: str, *, ignore_case: bool = False) -> Automaton:
    """Return the automaton of rows that a regular expression matches from start to end.

    The syntax is that of Rust's ``regex`` crate. A pattern that may be expensive is compiled in a child process, which
    is killed when it takes too long or a signal arrives.

    Raises:
        MissingExtra: outlines-core is not installed.
        BadOption: the pattern is invalid, beyond a limit, or not regular (look-around, back references).
    """
    library = importlib.util.find_spec("outlines_core")
    if library is None or library.origin is None:
        raise MissingExtra("constrain", "--regex")
    name = f"--regex {short_repr(pattern)}".replace("\\\\", "\\")  # as it was typed
    end = "\n)" if _VERBOSE.match(pattern) else ")"  # the last line may be a comment
    whole = f"(?{'i' if ignore_case else ''}:{pattern}{end}"
    try:
        pattern.encode()  # refuses half of a character
        n_symbols = _count_symbols(pattern)
        if n_symbols <= (_INLINE_CLASSES if _LARGE_CLASS.search(pattern) else _INLINE_SYMBOLS):
            data = b"".join(regex_child.build_table(whole, MAX_STATES))
        else:
            data = _build_in_child(whole, Path(library.origin).parent.parent)
    except regex_child.TooManyStates:
        raise BadOption(_limit_message(name, f"its automaton has more than {MAX_STATES:,} states")) from None
    except _LimitExceeded as error:
        raise BadOption(_limit_message(name, str(error))) from None
    except ImportError:
        raise MissingExtra("constrain", "--regex") from None
    except ValueError as error:
        raise BadOption(f"cannot compile {name}: {_explain_error(pattern, str(error))}") from None
    return _automaton(name, data)


class _LimitExceeded(Exception):
    """A pattern exceeds a limit, which the message names."""


def _limit_message(name: str, limit: str) -> str:
    return f"cannot build the automaton of {name}: {limit}, the limit; simplify it, for example with fewer repetitions"


def _automaton(name: str, data: bytes) -> Automaton:
    """Return the automaton of the bytes that ``regex_child.build_table`` returns, one after another."""
    class_B = np.frombuffer(data, np.uint8, N_BYTES).astype(np.intp)
    n_classes = int(class_B.max()) + 1
    n_states = (len(data) - N_BYTES) // (1 + 4 * n_classes)
    accepts_K = np.frombuffer(data, np.uint8, n_states, N_BYTES) == 1
    next_KC = np.frombuffer(data[N_BYTES + n_states :], np.int32).reshape(n_states, n_classes)
    return Automaton(name, next_KC, class_B, accepts_K)


def _build_in_child(pattern: str, folder: Path) -> bytes:
    """Return the automaton of a pattern as bytes, compiled in a child process.

    Args:
        pattern: the pattern.
        folder: the folder of the package outlines-core.

    Raises:
        _LimitExceeded: a limit is exceeded.
        ValueError: the library rejects the pattern.
    """
    limits = (MAX_STATES, _MAX_BYTES, round(MAX_SECONDS) + 1)
    command = [sys.executable, "-P", regex_child.__file__, str(folder), *map(str, limits)]
    try:
        child = subprocess.Popen(  # noqa: S603  # our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise UsageError(f"cannot start a process to compile --regex: {error.strerror or error}") from error
    with child:
        try:
            answer, _ = child.communicate(pattern.encode(), timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            raise _LimitExceeded(f"it takes more than {MAX_SECONDS:g} s") from None
        finally:
            child.kill()  # also after a signal
    kind, _, rest = answer.partition(b"\n")
    if kind == b"table":
        return rest
    if kind == b"TooManyStates":
        raise regex_child.TooManyStates
    if kind == b"ValueError":
        raise ValueError(rest.decode())
    raise _LimitExceeded(f"it takes more than {_MAX_BYTES // 10**6:,} MB of memory")


def _count_symbols(pattern: str) -> int:
    """Return the number of symbols and classes in a pattern, with counted repetitions expanded.

    This is only an estimate, and the pattern may be invalid: the library reports what is wrong with it.

    Raises:
        _LimitExceeded: the pattern is too long, too deeply nested, or has too many symbols.
        ValueError: a closing parenthesis has no opening one, or it has an anchor at the beginning.
    """
    if len(pattern) > _MAX_CHARS:
        raise _LimitExceeded(f"it has {len(pattern):,} characters, more than {_MAX_CHARS:,}")
    groups, last, at = [0], 0, 0  # symbols of each open group; size of the last item
    while at < len(pattern):
        character = pattern[at]
        size = 1
        if character == "(":
            opened = _GROUP.match(pattern, at)
            assert opened is not None
            if "x" in (opened["flags"] or opened["own"] or "").partition("-")[0]:
                _check_verbose(pattern)
                return _MAX_SYMBOLS
            at, last = opened.end(), 0
            groups += [0] if opened["flags"] is None else []
            if len(groups) > _MAX_DEPTH:
                raise _LimitExceeded(f"it is nested more than {_MAX_DEPTH} deep")
            continue
        if character == ")":
            if len(groups) == 1:
                raise ValueError("unbalanced parenthesis")  # it would close the group around the whole pattern
            size, at = groups.pop(), at + 1
        elif (repeat := _REPEAT.match(pattern, at)) is not None and last:
            most = int((repeat[3] or repeat[1] or "1")[:9]) + (1 if repeat[2] and not repeat[3] else 0)
            size, at = last * max(most - 1, 0), repeat.end()
            last += size
            groups[-1] += size
            size = 0
        elif character == "^" or pattern.startswith("\\A", at):
            raise ValueError(_ANCHORED)
        elif character in "*+?|$":
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
        if groups[-1] > _MAX_SYMBOLS:
            raise _LimitExceeded(f"with repetitions expanded it has more than {_MAX_SYMBOLS:,} symbols")
    return sum(groups)


def _check_verbose(pattern: str) -> None:
    """Refuse a pattern in verbose mode, which is not measured here, with an anchor or a parenthesis too many.

    Raises:
        ValueError: it has one.
    """
    if _ANCHOR.search(pattern):
        raise ValueError(_ANCHORED)
    depth = at = 0
    while at < len(pattern):
        if pattern[at] == "[":
            at = _class_end(pattern, at)
            continue
        if pattern[at] == "#":  # a comment
            at = pattern.find("\n", at) % (len(pattern) + 1)
        depth += {"(": 1, ")": -1}.get(pattern[at : at + 1], 0)
        if depth < 0:
            raise ValueError("unbalanced parenthesis")  # it would close the group around the whole pattern
        at += 2 if pattern[at : at + 1] == "\\" else 1


def _class_end(pattern: str, at: int) -> int:
    """Return the position after the character class that begins at ``at``; classes may be nested."""
    depth = 0
    first = -1  # position at which a closing bracket is a literal
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


def _explain_error(pattern: str, complaint: str) -> str:
    """Return what is wrong with a pattern in terms of its syntax; the library's own messages name its internals."""
    if complaint == _ANCHORED:
        return "it is matched against the whole row; leave out ^, or \\A"
    if regex_child.NO_TEXT in complaint:
        return "there is no text that it matches"
    try:
        with warnings.catch_warnings(action="ignore"):  # of syntax that Python may change
            re.compile(pattern)
    except re.error as error:
        return f"{error.msg}" + ("" if error.pos is None else f" at position {error.pos}")
    except (OverflowError, RecursionError):
        return "it is too large; simplify it"
    if "word boundar" in complaint or re.search(r"\(\?[=!<]|\\[bB1-9]", pattern):
        return "look-around, word boundaries and back references are not supported; leave them out"
    if "building NFA" in complaint:
        return "it is not in the syntax of Rust's regex crate; see https://docs.rs/regex"
    return " ".join(complaint.split())
