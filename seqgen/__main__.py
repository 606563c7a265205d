"""The entry point of ``python -m seqgen`` and of the ``seqgen`` command."""

from __future__ import annotations

import atexit
import os
import sys

_SPINS = "10000"
"""Iterations that an idle thread of GCC's OpenMP spins before it sleeps.

The default of 300,000 takes a time slice. When other programs compete for the cores, each of the many short parallel
regions of a training step may wait for one: a wide model then trains 1.5 times as fast with fewer spins, at worst ten
times, and as fast on idle cores (benchmarks/cpu_contention.py).
"""


def main() -> None:
    """Run the command line and exit with its code."""
    from seqgen.signals import exit_now, install_handler, was_raised
    from seqgen.streams import secure_streams

    code = 1

    def skip_teardown() -> None:
        """End the process after a signal: Python takes half a second to free the modules of torch."""
        if was_raised():
            os._exit(code)  # the command has written what it had, and nothing was to be saved

    atexit.register(skip_teardown)  # the first one, which runs after all others
    secure_streams()
    install_handler(exit_now)  # until the command line installs its own handler
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)  # before torch loads the library
    from seqgen.cli import main as run

    code = run(sys.argv[1:])
    sys.exit(code)


if __name__ == "__main__":
    main()
