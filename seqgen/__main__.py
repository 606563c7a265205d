"""``python -m seqgen``, and the ``seqgen`` command."""

from __future__ import annotations

import os
import sys

_SPINS = "10000"
"""Rounds that a thread of GCC's OpenMP waits awake for the others, before it sleeps.

Its own 300,000 take a time slice, and where other programs want the cores each of the many short pieces of work of a
training step may wait for one: a wide model then trains 1.5 times as fast with these few, in bad moments ten times, and
as fast alone (benchmarks/busy.py).
"""


def main() -> None:
    """Run the command line and exit with its code."""
    from seqgen.signals import exit_now, install_handler
    from seqgen.streams import secure_streams

    secure_streams()
    install_handler(exit_now)  # until the command line answers, and after it
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)  # before torch loads the library
    from seqgen.cli import main as run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
