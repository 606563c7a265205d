"""What the option parser says of a mistake, as all of this program says it: the value seen, and what would do."""

from __future__ import annotations

from typing import Any

_HELPFUL = ("Did you mean", "Possible options", " is not one of ", " is not in the range ", " is not a valid ")


def usage_line(error: Any) -> str:
    """A usage error of the parser in one line; "" where it has shown the help already.

    Args:
        error: of a class that is private to typer; what it has beside ``format_message`` is looked for, not relied on.
    """
    from pydantic import ValidationError

    from seqgen.config import refusal

    cause, parameter = error.__cause__, getattr(error, "param", None)
    if isinstance(cause, ValidationError) and parameter is not None:
        return f"{', '.join(parameter.opts) or parameter.name}: {refusal(cause)}"
    line = " ".join(str(error.format_message()).split()).removesuffix(".")
    if not line or any(words in line for words in _HELPFUL):
        return line
    context = getattr(error, "ctx", None)
    return f"{line}; {f'{context.command_path} ' if context else ''}--help shows what would do"
