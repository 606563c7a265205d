"""Cuts functions and classes out of a module's source, with the lines as they stand there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from seqgen_python.parsing import Definition, parsed


@dataclass(frozen=True)
class Piece:
    """A definition.

    Attributes:
        name: with the classes around it, "Path.exists".
        line: where it begins, counted from 1.
        text: its lines with its decorators, moved to the left margin.
    """

    name: str
    line: int
    text: str


def pieces(source: str, *, kind: str, docstrings: bool) -> Iterator[Piece]:
    """The definitions of a module in their order; none if it does not parse.

    Args:
        source: the module's source, its lines ended by line feeds.
        kind: "functions", also those of classes; "classes"; or "all", functions outside classes, and classes.
        docstrings: whether they are kept.
    """
    tree = parsed(source)
    lines = source.split("\n")
    for name, node in _definitions(tree, kind) if tree else ():
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        dropped = set() if docstrings else _docstring_lines(node, lines)
        kept = [lines[number - 1] for number in range(first, (node.end_lineno or 0) + 1) if number not in dropped]
        yield Piece(name, first, _to_margin(kept))


def _definitions(tree: ast.Module | ast.ClassDef, kind: str, within: str = "") -> Iterator[tuple[str, Definition]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and kind == "functions":
            yield from _definitions(node, kind, f"{within}{node.name}.")
        elif isinstance(node, ast.ClassDef) or (isinstance(node, Definition) and kind != "classes"):
            yield within + node.name, node


def _within(tree: ast.AST) -> Iterator[Definition]:
    """The definitions in a statement, itself among them; only statements are looked at, which is much faster."""
    if isinstance(tree, Definition):
        yield tree
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for node in getattr(tree, field, ()):
            yield from _within(node)


def _docstring_lines(tree: Definition, lines: list[str]) -> set[int]:
    """The numbers of the lines of docstrings, and of the blank ones after each; one that is a whole body stays."""
    dropped: set[int] = set()
    for node in _within(tree):
        if len(node.body) < 2 or ast.get_docstring(node, clean=False) is None:
            continue
        docstring, following = node.body[0], node.body[1]
        begins = min([following.lineno, *(decorator.lineno for decorator in getattr(following, "decorator_list", ()))])
        last = docstring.end_lineno or docstring.lineno
        if begins > last and not lines[docstring.lineno - 1].encode()[: docstring.col_offset].strip():
            while not lines[last].strip():
                last += 1
            dropped.update(range(docstring.lineno, last + 1))
    return dropped


def _to_margin(lines: list[str]) -> str:
    """The lines without the indent of the first; one that has less of it stands within a string and stays."""
    margin = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    return "\n".join(line.removeprefix(margin) for line in lines)
