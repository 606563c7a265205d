"""Syntax trees of texts that nobody vouches for: nothing is compiled or executed, and no warning gets out."""

from __future__ import annotations

import ast
import warnings

FAILURES = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What parsing or writing out a tree may raise: wrong syntax, characters that no source has, too deep a nesting."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def parse(text: str) -> ast.Module:
    """The syntax tree of a text.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it has none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def parsed(text: str) -> ast.Module | None:
    """The syntax tree of a text; None if it has none."""
    try:
        return parse(text)
    except FAILURES:
        return None
