"""``python -m seqgen``, and the ``seqgen`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from seqgen.signals import answer, end_at_once

    answer(end_at_once)  # until the command line answers, and after it
    from seqgen.cli import main as run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
