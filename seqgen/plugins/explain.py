"""One-line explanations of plugin errors and missing plugins."""

from __future__ import annotations

import traceback

from seqgen.errors import FAULT_NOTE, DiskError, Interrupted, SeqgenError, one_line
from seqgen.plugins.discovery import plugins_declaring
from seqgen.signals import reraise_signal


def explain(error: BaseException, package: str) -> str:
    """Return an exception in one line, with the line of the plugin's code that raised it.

    Args:
        error: the exception.
        package: the plugin's import package; if none of its code was running, the last line outside seqgen is shown.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [item for item in frames if str(item[0].f_globals.get("__name__", "")).partition(".")[0] == package]
    others = [item for item in frames if not _is_ours(item[0].f_code.co_filename)]
    place = ""
    if found := own or others:
        frame, line = found[-1]
        place = f" ({frame.f_code.co_filename}:{line})"
    return f"{type(error).__name__}: {one_line(error)}{place}"


def failure_reason(error: BaseException) -> str:
    """Return the reason of a failure in one line, for a command that continues with the next part.

    Raises:
        BaseException: the error itself, if it says nothing of a part: a signal, or a disk that refuses.
    """
    reraise_signal()
    if isinstance(error, KeyboardInterrupt | Interrupted | DiskError):
        raise error
    if isinstance(error, SeqgenError):
        return one_line(error, limit=500)
    text = f"{type(error).__name__}: {one_line(error)}"
    notes = [note.removeprefix(FAULT_NOTE) for note in getattr(error, "__notes__", ()) if note.startswith(FAULT_NOTE)]
    return f"{notes[0]}: {text}" if notes else text


def missing_plugin(plural: str, name: str) -> str:
    """Return a hint that names the plugin of a missing part or command, or "".

    Args:
        plural: "reports", "commands" or another kind in the plural.
        name: the name of the part or command.
    """
    found = plugins_declaring(plural, name)
    if not found:
        return ""
    listed = " or ".join(found)
    return f"it comes with the plugin {listed}, which is not loaded: run without --no-plugins, or see seqgen plugins"


def _is_ours(filename: str) -> bool:
    """Return whether a file belongs to the plugin loader or to Python's import system."""
    return "seqgen/plugins/" in filename.replace("\\", "/") or filename.startswith("<frozen ")
