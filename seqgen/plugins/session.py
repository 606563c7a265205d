"""Switches in the environment, and the plugins of the running command."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


def env_flag(variable: str) -> bool:
    """Return whether an environment variable is set; "", 0, false, no and off count as unset."""
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


def trace(line: str) -> None:
    """Write a trace line to stderr."""
    sys.stderr.write(f"seqgen: trace: {line}\n")


_ACTIVE: list[object] = []  # not a context variable, so that threads of a command see it too


@contextlib.contextmanager
def activate_plugins(plugins: object) -> Iterator[None]:
    """Make these plugins the default inside the context, for code that names none."""
    _ACTIVE.append(plugins)
    try:
        yield
    finally:
        _ACTIVE.pop()


def active_plugins() -> object | None:
    """Return the plugins of the running command; None outside a command."""
    return _ACTIVE[-1] if _ACTIVE else None
