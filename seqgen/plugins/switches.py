"""What the environment asks of all plugins, and where a trace goes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


def is_on(variable: str) -> bool:
    """Whether a variable of the environment is set to something; empty, 0, false, no and off are not."""
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


def trace(line: str) -> None:
    """Write a line of a trace that the environment asked for, on stderr, whoever uses seqgen."""
    sys.stderr.write(f"seqgen: trace: {line}\n")


_IN_USE: list[object] = []  # not a context variable: a command's own threads see it too


@contextlib.contextmanager
def using(plugins: object) -> Iterator[None]:
    """Within it these plugins are those of the session, which code that names none works with."""
    _IN_USE.append(plugins)
    try:
        yield
    finally:
        _IN_USE.pop()


def in_use() -> object | None:
    """The plugins of the session, or None outside of one."""
    return _IN_USE[-1] if _IN_USE else None
