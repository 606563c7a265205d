"""Usage errors of the option parser in the form of all messages: the value seen, and what to do."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from seqgen.cli.common import session
from seqgen.errors import SeqgenError
from seqgen.plugins import missing_plugin

_TOO_MANY = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)")
_NO_COMMAND = re.compile(r"No such command '(\S+)'")
_HELPFUL = ("Did you mean", "Possible options", " is not one of ", " is not in the range ", " is not a valid ")


def usage_line(error: Any) -> str:
    """Return a usage error of the parser in one line; "" if it has shown the help already.

    Args:
        error: of a class that is private to typer; what it has beside ``format_message`` is looked for, not relied on.
    """
    from pydantic import ValidationError

    from seqgen.config import refusal

    cause, parameter = error.__cause__, getattr(error, "param", None)
    if isinstance(cause, ValidationError) and parameter is not None:
        return f"{', '.join(parameter.opts) or parameter.name}: {refusal(cause)}"
    line = " ".join(str(error.format_message()).split()).removesuffix(".")
    line = _TOO_MANY.sub(r"more arguments than the command takes: \1", line)
    if setting := _setting(error):
        return f"no such option: {error.option_name}; it is one of those that -o sets: -o {setting}=VALUE"
    if (unknown := _NO_COMMAND.match(line)) and (hint := missing_plugin("commands", unknown[1])):
        return f"no such command {unknown[1]!r}: {hint}"
    if not line or any(words in line for words in _HELPFUL):
        return line
    context = getattr(error, "ctx", None)
    return f"{line}; {f'{context.command_path} ' if context else ''}--help lists what it takes"


def _setting(error: Any) -> str:
    """Return the setting of training or of the default model that has the name of an unknown option, or ""."""
    context, name = getattr(error, "ctx", None), str(getattr(error, "option_name", "")).lstrip("-").replace("-", "_")
    if not name or context is None or context.info_name != "train":
        return ""
    from seqgen.config import TrainSettings

    fields = [*TrainSettings.model_fields]
    with contextlib.suppress(SeqgenError, ImportError):
        fields += session.plugins.registry.get("model", "recurrent").option_names()
    return name if name in fields else ""
