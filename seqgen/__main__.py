"""``python -m seqgen``, and the ``seqgen`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from seqgen.cli import main as run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:  # before the command line has its own handler
        sys.exit(130)


if __name__ == "__main__":
    main()
