"""What the environment asks of all plugins, and where a trace goes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


def env_flag(variable: str) -> bool:
    """Whether a variable of the environment is set to something; empty, 0, false, no and off are not."""
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


def trace(line: str) -> None:
    """Write a line of a trace that the environment asked for, on stderr, whoever uses seqgen."""
    sys.stderr.write(f"seqgen: trace: {line}\n")


_ACTIVE: list[object] = []  # not a context variable: a command's own threads see it too


@contextlib.contextmanager
def activate_plugins(plugins: object) -> Iterator[None]:
    """Within it these plugins are those of the session, which code that names none works with."""
    _ACTIVE.append(plugins)
    try:
        yield
    finally:
        _ACTIVE.pop()


def active_plugins() -> object | None:
    """The plugins of the session, or None outside of one."""
    return _ACTIVE[-1] if _ACTIVE else None
