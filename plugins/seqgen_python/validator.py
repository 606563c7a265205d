"""Validator of Python source code."""

from __future__ import annotations

import ast

import seqgen
from seqgen_python.parsing import FAILURES, parse

_MAX_REASON = 80  # characters of Python's error message


class PythonValidator:
    """Accepts what the running interpreter's ``ast.parse`` accepts; the canonical form is the unparsed tree."""

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict on a text; the reason is the syntax error and its line."""
        try:
            tree = parse(text)
        except SyntaxError as error:
            return seqgen.Verdict(False, f"line {error.lineno or 1}: {error.msg[:_MAX_REASON]}")
        except ValueError as error:
            return seqgen.Verdict(False, f"not source code: {str(error)[:_MAX_REASON]}")
        except (RecursionError, MemoryError):
            return seqgen.Verdict(False, "nested too deeply to be parsed")
        return seqgen.Verdict(True, "", _canonical(tree))


def _canonical(tree: ast.Module) -> str | None:
    """Unparse a tree until unparsing and parsing is stable; None if it does not become so."""
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
