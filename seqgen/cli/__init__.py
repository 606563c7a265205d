"""The command line: parses, calls ``seqgen.api``, and shows. One place catches errors: ``seqgen.cli.main``."""

from seqgen.cli.main import main

__all__ = ["main"]
