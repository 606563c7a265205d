"""What the environment asks of all plugins, and where a trace goes."""

from __future__ import annotations

import os
import sys


def is_on(variable: str) -> bool:
    """Whether a variable of the environment is set to something; empty, 0, false, no and off are not."""
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


def trace(line: str) -> None:
    """Write a line of a trace that the environment asked for, on stderr, whoever uses seqgen."""
    sys.stderr.write(f"seqgen: trace: {line}\n")
