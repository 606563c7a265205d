"""Extraction of functions and classes from a module's source, with the original lines."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from seqgen_python.parsing import Definition, parsed


@dataclass(frozen=True)
class SourceDefinition:
    """The source of a function or class.

    Attributes:
        name: the qualified name, "Path.exists".
        line: the first line, counted from 1.
        text: the dedented lines, decorators included.
    """

    name: str
    line: int
    text: str


def extract_definitions(source: str, *, kind: str, docstrings: bool) -> Iterator[SourceDefinition]:
    """Yield the definitions of a module in order; none if it does not parse.

    Args:
        source: the module's source, its lines ended by line feeds.
        kind: "functions", methods included; "classes"; or "all", classes and the functions outside them.
        docstrings: keep docstrings.
    """
    tree = parsed(source)
    lines = source.split("\n")
    for name, node in _definitions(tree, kind) if tree else ():
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        dropped = set() if docstrings else _docstring_lines(node, lines)
        kept = [lines[number - 1] for number in range(first, (node.end_lineno or 0) + 1) if number not in dropped]
        yield SourceDefinition(name, first, _dedent(kept))


def _definitions(tree: ast.Module | ast.ClassDef, kind: str, within: str = "") -> Iterator[tuple[str, Definition]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and kind == "functions":
            yield from _definitions(node, kind, f"{within}{node.name}.")
        elif isinstance(node, ast.ClassDef) or (isinstance(node, Definition) and kind != "classes"):
            yield within + node.name, node


def _within(tree: ast.AST) -> Iterator[Definition]:
    """Yield the definitions in a statement, itself included; visits statements only, which is much faster."""
    if isinstance(tree, Definition):
        yield tree
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for node in getattr(tree, field, ()):
            yield from _within(node)


def _docstring_lines(tree: Definition, lines: list[str]) -> set[int]:
    """Return the line numbers of docstrings and of blank lines after them; a docstring that is the whole body stays."""
    dropped: set[int] = set()
    for node in _within(tree):
        if len(node.body) < 2 or ast.get_docstring(node, clean=False) is None:
            continue
        docstring, following = node.body[0], node.body[1]
        next_line = min(
            [following.lineno, *(decorator.lineno for decorator in getattr(following, "decorator_list", ()))]
        )
        last = docstring.end_lineno or docstring.lineno
        if next_line > last and not lines[docstring.lineno - 1].encode()[: docstring.col_offset].strip():
            while not lines[last].strip():
                last += 1
            dropped.update(range(docstring.lineno, last + 1))
    return dropped


def _dedent(lines: list[str]) -> str:
    """Remove the first line's indentation from all lines; a line with less is inside a string and stays."""
    margin = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    return "\n".join(line.removeprefix(margin) for line in lines)
