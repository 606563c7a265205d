"""The exceptions of seqgen, with the exit codes of the command line; and any exception in one line.

    SeqgenError                 1  base class
    ├── UsageError              2  an invalid request
    │   ├── UnknownName            no such corpus, cell, ... (with "did you mean")
    │   ├── BadOption              an unknown option, or an invalid value
    │   ├── UnknownSymbol          a text contains a symbol that the tokenizer does not know
    │   ├── MissingExtra           an optional dependency is not installed
    │   ├── NoSuchFile             a file of records does not exist
    │   ├── NoSuchRun              the run folder does not exist
    │   ├── RunLocked              another process is training in this folder, or writes this file
    │   └── ExportRefused          a run that a form cannot hold, or whose export differs from it
    ├── CorpusError             3  the corpus is unreadable, empty or undecodable
    ├── CheckpointError         4  a checkpoint is damaged, missing or of a newer format
    │   ├── LinkRefused            something in a run, bench or cache folder is a link
    │   └── MissingPlugin          the run was made with a plugin that is not installed
    ├── PluginError             5  a broken plugin was used
    ├── Diverged                6  the loss or a gradient is not finite
    ├── DiskError               7  writing failed: disk full, read-only, no permission
    ├── TooFewRows              8  fewer rows than requested
    ├── WorkerLost              9  a process of several that work together has ended or hangs
    ├── TaskFailed              1  a task failed, or lost its worker too often
    └── Interrupted       130/143  SIGINT or SIGTERM (129: SIGHUP), after saving

A message is one line: what failed, the value seen, what to do. The command line catches SeqgenError once, prints that
line on stderr and exits with ``exit_code``.
"""

from __future__ import annotations

import difflib
import errno
import traceback
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


class SeqgenError(Exception):
    """The base class; ``exit_code`` is the exit code of the command line."""

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process rebuilds it: from its message and attributes, not by its constructor."""
        return _rebuilt, (type(self), self.args, vars(self))


def _rebuilt(kind: type[SeqgenError], arguments: tuple[Any, ...], attributes: Mapping[str, Any]) -> SeqgenError:
    error = kind.__new__(kind, *arguments)
    vars(error).update(attributes)
    return error


class UsageError(SeqgenError):
    """An invalid request."""

    exit_code = 2


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that memory ran out.

    That is Python's MemoryError, torch's OutOfMemoryError or RuntimeError (on a CPU it has no class of its own), or an
    ImportError of a library that could not be mapped.
    """
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    system = isinstance(error, OSError) and error.errno == errno.ENOMEM
    said = {RuntimeError: ("allocate memory",), ImportError: ("failed to map segment", "allocate memory")}
    text = str(error)
    return named or system or any(isinstance(error, kind) and any(map(text.__contains__, said[kind])) for kind in said)


class UnknownName(UsageError):
    """A name that no plugin registered.

    Args:
        kind: the kind in the singular: "cell", "corpus".
        name: the unknown name.
        known: the available names.
        hint: a further hint, appended in parentheses.
        meant: the names of parts that have this name as an alias.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "", meant: Sequence[str] = ()) -> None:
        """Build the message, with the nearest available name if there is one."""
        self.kind, self.name, self.known, self.meant = kind, name, sorted(known), tuple(meant)
        line = f"no {kind} named {name!r}{_or(meant) if meant else did_you_mean(name, self.known)}"
        super().__init__(f"{line} ({hint})" if hint else line)


class BadOption(UsageError):
    """An unknown option, or an invalid value."""


STRAIGHT_QUOTES = dict.fromkeys("“”„‟«»″", '"') | dict.fromkeys("‘’‚‛′", "'")
"""The quotes that a keyboard types, by the typographic ones that word processors put in their place."""


class UnknownSymbol(UsageError):
    """A text with a symbol that the tokenizer does not know.

    Args:
        symbol: the symbol.
        position: its 0-based character position in the text.
        near: similar known symbols, the most similar first.
        hint: a clause on what to do, if the tokenizer knows it.
    """

    def __init__(self, symbol: str, position: int, near: Sequence[str] = (), hint: str = "") -> None:
        """Build the message with the symbol's code points, so that look-alikes can be distinguished."""
        self.symbol, self.position, self.near, self.hint = symbol, position, tuple(near), hint
        codes = " ".join(f"U+{ord(character):04X}" for character in symbol)
        line = f"unknown symbol {symbol!r} ({codes}) at position {position}"
        if near:
            line += "; the nearest known ones are " + ", ".join(repr(symbol) for symbol in near)
        if STRAIGHT_QUOTES.get(symbol) in self.near:
            line += "; type straight quotes"
        if hint:
            line += f"; {hint}"
        super().__init__(line)

    def of_option(self, option: str, text: str) -> UnknownSymbol:
        """Return the error with the option of sampling that has the text, and what to do.

        Args:
            option: the option, such as "--contains".
            text: the text.
        """
        line = f"{option}: {self}"
        if "straight quotes" not in line:
            is_quoted = len(text) > 1 and {text[0], text[-1]} <= STRAIGHT_QUOTES.keys()
            none = "the records of this run have no such symbol, so it cannot write one"
            line += f"; {'type straight quotes around the text' if is_quoted else none}"
        self.args = (line,)
        return self


class MissingExtra(UsageError):
    """An optional dependency is not installed.

    Args:
        extra: the extra of the distribution that installs it; "" if there is none.
        what: the part that needs it.
        how: how to install it, if there is no extra.
        distribution: the distribution that defines the extra.
    """

    def __init__(self, extra: str, what: str, how: str = "", *, distribution: str = "seqgen-lm") -> None:
        """Build the message with the pip command to run."""
        self.extra = extra
        way = (
            f"needs a package that is not installed: {how}"
            if how
            else f"needs the extra {extra!r}: pip install '{_installable(distribution)}[{extra}]'"
        )
        super().__init__(f"{what} {way}")


def _installable(distribution: str) -> str:
    """Return what pip can install a distribution from: its name, or seqgen's checkout if that runs uninstalled."""
    from importlib.metadata import PackageNotFoundError, version

    checkout = Path(__file__).parent.parent
    try:
        version(distribution)
    except PackageNotFoundError:
        if distribution == "seqgen-lm" and (checkout / "pyproject.toml").is_file():
            return str(checkout)
    return distribution


class NoSuchFile(UsageError):
    """A named file of records that does not exist."""


class NoSuchRun(UsageError):
    """A run folder that does not exist."""


class RunLocked(UsageError):
    """A run folder in which another process is training, or a file that another one writes."""


class ExportRefused(UsageError):
    """A run that a form cannot hold, or an export that differs from its run; nothing is written."""


class CorpusError(SeqgenError):
    """A corpus that is unreadable, empty or undecodable."""

    exit_code = 3


class CheckpointError(SeqgenError):
    """A checkpoint or another file of a run that is damaged, missing or of a newer format."""

    exit_code = 4


class LinkRefused(CheckpointError):
    """A link in a run, bench or cache folder, which could redirect a read or a write."""


class MissingPlugin(CheckpointError):
    """A run made with a plugin that is not installed."""


LESS_MEMORY = "a smaller --hidden, --batch-size or -o window= needs less"
"""What to do where memory runs out in training."""
FAULT_NOTE = "seqgen: "
"""Prefix of the note on an exception that names the part of a plugin at fault."""


SAVED_NOTE = "run: "
"""Prefix of the note on an exception that says what of a run is saved, and how to resume it."""


class PluginError(SeqgenError):
    """A plugin that is broken."""

    exit_code = 5


class Diverged(SeqgenError):
    """A loss or gradient that is not finite; the step was not applied.

    Args:
        message: the quantity that is not finite.
        step: the step that was refused, from 1; None outside training.
        batch_indices: the records of the training part in its batch, from 0; for one long text, its positions.
    """

    exit_code = 6

    def __init__(self, message: str, step: int | None = None, batch_indices: Sequence[int] = ()) -> None:
        self.step, self.batch_indices = step, tuple(batch_indices)
        super().__init__(message)


class DiskError(SeqgenError):
    """A failed write: disk full, read-only, or no permission."""

    exit_code = 7


class TooFewRows(SeqgenError):
    """Fewer rows than requested could be sampled.

    Attributes:
        rows: the samples that were found, where ``Run.sample`` raises it.
    """

    exit_code = 8
    rows: Sequence[Any] = ()


class WorkerLost(SeqgenError):
    """A process of several that work together has ended, or does not answer in time."""

    exit_code = 9


class TaskFailed(SeqgenError):
    """A task whose function failed, or that lost its worker too often."""


class Interrupted(SeqgenError):
    """A stop by a signal, after saving what can be saved.

    Args:
        signal_number: 2 for SIGINT, 15 for SIGTERM, 1 for SIGHUP.
        message: what was saved, and how to resume.
        run: the interrupted ``seqgen.Run``, which can be sampled or resumed; None outside training.
    """

    def __init__(self, signal_number: int, message: str = "interrupted", run: Any = None) -> None:
        """Set the exit code as a shell does: 128 plus the signal number."""
        self.exit_code, self.run = 128 + signal_number, run
        super().__init__(message)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a clause that suggests names for a misspelled one: the nearest, else all if they are few.

    Args:
        name: the misspelled name.
        known: the available names.

    Returns:
        A clause that starts with "; ", or "" if there is nothing to suggest.
    """
    names = sorted(set(known))
    if near := nearest_names(name, names):
        return near
    shown = (one if one == one.strip() != "" else repr(one) for one in names)
    return "; known: " + ", ".join(shown) if 0 < len(names) <= 12 else ""


def nearest_names(name: str, known: Iterable[str]) -> str:
    """Return the clause of ``did_you_mean`` with the nearest names, or "" if none is near."""
    near = close_names(name, known)
    return _or(near) if near else ""


def close_names(name: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Return the names that differ from one in case only, else up to three that are like it, the most similar first.

    Args:
        name: the misspelled name.
        known: the available names.
        cutoff: the least similarity, from 0 to 1, without regard to case.
    """
    names = sorted(set(known))
    folded = [one.casefold() for one in names]
    same = [one for one, without_case in zip(names, folded, strict=True) if without_case == name.casefold()]
    near = difflib.get_close_matches(name.casefold(), dict.fromkeys(folded), n=3, cutoff=cutoff)
    return (
        same
        or [one for close in near for one, without_case in zip(names, folded, strict=True) if without_case == close][:3]
    )


def _or(names: Sequence[str]) -> str:
    return "; did you mean " + " or ".join(map(repr, names)) + "?"


def find_plugin_frame(error: BaseException, packages: Container[str]) -> tuple[str, str] | None:
    """Return the innermost frame of an exception in one of the packages: the package, and its function and line."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in packages:
            found = package, f"in {frame.f_code.co_name}, line {line} of {Path(frame.f_code.co_filename).name}"
    return found


def short_repr(value: object, limit: int = 60) -> str:
    """Return the ``repr`` of a value, shortened; that of a text keeps its quotes, that of a plugin's value may fail."""
    try:
        text = repr(value)
        if isinstance(value, str) and len(text) > limit:
            return f"{text[: limit - 2]}…{text[-1]}"
        text = " ".join(text.split()) if "\n" in text else text  # that of a table or an array
    except Exception:
        text = f"a {type(value).__name__} whose repr fails"
    return shortened(text, limit)


def one_line(error: BaseException, limit: int = 200) -> str:
    """Return the message of an exception in one line, shortened."""
    try:
        text = " ".join(str(error).split()) or "no message"
    except Exception:
        text = "a message that cannot be formatted"
    return shortened(text, limit)


def shortened(text: str, limit: int) -> str:
    """Return a text of at most ``limit`` characters, with "…" for the rest of a longer one."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
