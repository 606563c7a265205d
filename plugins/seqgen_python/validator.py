"""What Python itself accepts."""

from __future__ import annotations

import ast

import seqgen
from seqgen_python.parsing import FAILURES, parse

_LONGEST = 80  # of what Python says, in characters


class PythonValidator:
    """Accepts what ``ast.parse`` of the running interpreter does; the canonical form is the tree written out again."""

    def validate(self, text: str) -> seqgen.Verdict:
        """The verdict; the reason is the syntax error and its line."""
        try:
            tree = parse(text)
        except SyntaxError as error:
            return seqgen.Verdict(False, f"line {error.lineno or 1}: {error.msg[:_LONGEST]}")
        except ValueError as error:
            return seqgen.Verdict(False, f"not source code: {str(error)[:_LONGEST]}")
        except (RecursionError, MemoryError):
            return seqgen.Verdict(False, "nested too deeply to be parsed")
        return seqgen.Verdict(True, "", _canonical(tree))


def _canonical(tree: ast.Module) -> str | None:
    """The tree as text, once writing it out and reading it again changes nothing; None if that does not happen."""
    try:
        text = ast.unparse(tree)
        for _ in range(3):
            again = ast.unparse(parse(text))
            if again == text:
                return text
            text = again
    except FAILURES:
        pass
    return None
