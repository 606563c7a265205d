"""Every error that seqgen raises on purpose, with the exit code that the command line gives it.

    SeqgenError                 1  something of ours went wrong
    ├── UsageError              2  what was asked for cannot be done as asked
    │   ├── UnknownName            no such corpus, cell, ... (with "did you mean")
    │   ├── BadOption              an option that does not exist or has an impossible value
    │   ├── UnknownSymbol          a text holds a symbol that the tokenizer has never seen
    │   ├── MissingExtra           an optional dependency is not installed
    │   ├── NoSuchFile             a file of records does not exist
    │   ├── NoSuchRun              the run folder does not exist
    │   └── RunLocked              another process is training in this folder
    ├── CorpusError             3  the corpus is unreadable, empty or undecodable
    ├── CheckpointError         4  a checkpoint is damaged, missing or too new
    │   ├── LinkRefused            something in a run, bench or cache folder is a link
    │   └── MissingPlugin          the run was made with a plugin that is not installed
    ├── PluginError             5  a broken plugin was used
    ├── Diverged                6  the loss or a gradient is not finite
    ├── DiskError               7  the disk refused: full, read-only, no permission
    ├── TooFewRows              8  fewer rows than asked
    └── Interrupted       130/143  SIGINT or SIGTERM (129: SIGHUP); what could be saved is saved

A message is one line: what was wrong, the value seen, what would do. The command line catches SeqgenError
once, prints that line on stderr and exits with ``exit_code``.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Sequence
from typing import Any


class SeqgenError(Exception):
    """Base of the tree; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(SeqgenError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's, or torch's, whose error on a CPU has no class of its own.

    The memory for a library may run out, too: then the loader says in an ImportError what it could not do.
    """
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    system = isinstance(error, OSError) and error.errno == errno.ENOMEM
    said = {RuntimeError: ("allocate memory",), ImportError: ("failed to map segment", "allocate memory")}
    text = str(error)
    return named or system or any(isinstance(error, kind) and any(map(text.__contains__, said[kind])) for kind in said)


class UnknownName(UsageError):
    """No plugin offers this name.

    Args:
        kind: what was looked for, in the singular: "cell", "corpus".
        name: the name as it was given.
        known: the names that would do.
        hint: a further way out, appended to the line.
        meant: the names of what is also called so.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "", meant: Sequence[str] = ()) -> None:
        """Build the line, with the nearest known name if there is one."""
        self.kind, self.name, self.known, self.meant = kind, name, sorted(known), tuple(meant)
        line = f"no {kind} named {name!r}{_or(meant) if meant else did_you_mean(name, self.known)}"
        super().__init__(f"{line} ({hint})" if hint else line)


class BadOption(UsageError):
    """An option that does not exist, or whose value is impossible."""


class UnknownSymbol(UsageError):
    """A text holds a symbol that the tokenizer does not know.

    Args:
        symbol: the symbol.
        position: its 0-based character position in the text.
        near: known symbols that resemble it, the nearest first.
    """

    def __init__(self, symbol: str, position: int, near: Sequence[str] = ()) -> None:
        """Build the line with the symbol's code points, so that look-alikes can be told apart."""
        self.symbol, self.position, self.near = symbol, position, tuple(near)
        codes = " ".join(f"U+{ord(character):04X}" for character in symbol)
        line = f"unknown symbol {symbol!r} ({codes}) at position {position}"
        if near:
            line += "; the nearest known ones are " + ", ".join(repr(symbol) for symbol in near)
        super().__init__(line)


class MissingExtra(UsageError):
    """An optional dependency is not installed.

    Args:
        extra: the extra of the distribution that brings it; "" if none can.
        what: what needs it.
        how: how to get it, where no extra brings it.
        distribution: whose extra it is.
    """

    def __init__(self, extra: str, what: str, how: str = "", *, distribution: str = "seqgen-lm") -> None:
        """Build the line with the pip command to type."""
        self.extra = extra
        way = (
            f"needs what is not installed: {how}"
            if how
            else f"needs the extra {extra!r}: pip install '{distribution}[{extra}]'"
        )
        super().__init__(f"{what} {way}")


class NoSuchFile(UsageError):
    """A file of records that is named does not exist."""


class NoSuchRun(UsageError):
    """The run folder does not exist."""


class RunLocked(UsageError):
    """Another process is training in this run folder."""


class CorpusError(SeqgenError):
    """The corpus is unreadable, empty or undecodable."""

    exit_code = 3


class CheckpointError(SeqgenError):
    """A checkpoint or a run's own file is damaged, missing or too new."""

    exit_code = 4


class LinkRefused(CheckpointError):
    """Something in a run, bench or cache folder is a link, which could lead a read or a write out of it."""


class MissingPlugin(CheckpointError):
    """The run was made with a plugin that is not installed."""


FAULT_NOTE = "seqgen: "
"""Begins the note on an exception that says which part of a plugin is at fault."""


SAVED_NOTE = "run: "
"""Begins the note on an exception that says what of a run is saved, and how to resume it."""


class PluginError(SeqgenError):
    """A broken plugin was used."""

    exit_code = 5


class Diverged(SeqgenError):
    """The loss or a gradient is not finite; the step was refused.

    Args:
        message: what was not finite, and where.
        step: the step of a training that was refused, from 1.
        batch_indices: which records of the training part were in its batch, from 0; in one long text, which symbols.
    """

    exit_code = 6

    def __init__(self, message: str, step: int | None = None, batch_indices: Sequence[int] = ()) -> None:
        self.step, self.batch_indices = step, tuple(batch_indices)
        super().__init__(message)


class DiskError(SeqgenError):
    """The disk refused: full, read-only, or no permission."""

    exit_code = 7


class TooFewRows(SeqgenError):
    """Fewer rows than asked could be made."""

    exit_code = 8


class Interrupted(SeqgenError):
    """A signal asked the program to stop; what could be saved is saved.

    Args:
        signal_number: 2 for SIGINT, 15 for SIGTERM, 1 for SIGHUP.
        message: what was saved and how to go on.
        run: of a training, the ``seqgen.Run`` as far as it came, to be sampled or resumed; None where there is none.
    """

    def __init__(self, signal_number: int, message: str = "interrupted", run: Any = None) -> None:
        """The exit code is the shell's: 128 plus the signal's number."""
        self.exit_code, self.run = 128 + signal_number, run
        super().__init__(message)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause that helps with a misspelt name: the nearest known ones, else all of them if they are few.

    Args:
        name: the name as it was given.
        known: the names that would do.

    Returns:
        A clause that starts with "; ", or "" when there is nothing helpful to say.
    """
    names = sorted(set(known))
    if near := nearest_names(name, names):
        return near
    return "; known: " + ", ".join(names) if 0 < len(names) <= 12 else ""


def nearest_names(name: str, known: Iterable[str]) -> str:
    """The clause of ``did_you_mean`` with the nearest known names, or "" where none is near."""
    names = sorted(set(known))
    alike = [candidate for candidate in names if candidate.casefold() == name.casefold()]
    near = alike or difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return _or(near) if near else ""


def _or(names: Sequence[str]) -> str:
    return "; did you mean " + " or ".join(map(repr, names)) + "?"
