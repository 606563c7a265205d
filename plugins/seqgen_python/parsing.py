"""Parsing of untrusted texts: nothing is compiled or executed, and warnings are suppressed."""

from __future__ import annotations

import ast
import warnings

FAILURES = (SyntaxError, ValueError, RecursionError, MemoryError)
"""Errors of parsing or unparsing: bad syntax, illegal characters, too deep nesting."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def parse(text: str) -> ast.Module:
    """Return the syntax tree of a text.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: the text does not parse.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def parsed(text: str) -> ast.Module | None:
    """Return the syntax tree of a text; None if it does not parse."""
    try:
        return parse(text)
    except FAILURES:
        return None
