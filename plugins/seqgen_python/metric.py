"""Figures of code."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence

import seqgen
from seqgen_python.parsing import Definition, parsed

_WORD = re.compile(r"[^\W\d]\w*")
_LONG_LINE = 20  # shorter ones, such as "return None", are everybody's
_MAX_HELD_OUT = 1000


def load() -> seqgen.Metric:
    """The metric; it has no options."""
    return python


def python(samples: Sequence[str], reference: Sequence[str], training: Iterable[str] = ()) -> dict[str, float]:
    """How far samples are Python, and how far they are Python like the rest.

    Args:
        samples: the texts judged.
        reference: held-out code; the first 1,000 count.
        training: the code learned from.

    Returns:
        ``parses``, and ``defines``, the share that parses and has a function or class on the outermost level;
        then, each also with ``_held_out`` for the reference: ``lines``, the mean number of lines; ``depth``, the mean
        depth of the syntax trees; ``known_names``, of the names in them the share that training code (else the
        reference) or Python's builtins have; ``copied_lines``, of the lines of 20 characters and more, indents
        aside, the share that stands in training code. Where there is nothing to count, 0.
    """
    held_out = list(reference[:_MAX_HELD_OUT])
    words, lines = set(dir(builtins)), set()
    for text in training:
        words.update(_WORD.findall(text))
        lines.update(_long_lines(text))
    if not lines:
        words.update(word for text in held_out for word in _WORD.findall(text))
    trees = [parsed(text) for text in samples]
    figures = {
        "parses": _mean(tree is not None for tree in trees),
        "defines": _mean(
            tree is not None and any(isinstance(node, Definition) for node in tree.body) for tree in trees
        ),
    }
    for ending, texts, of in (("", samples, trees), ("_held_out", held_out, [parsed(text) for text in held_out])):
        known = [tree for tree in of if tree is not None]
        figures[f"lines{ending}"] = _mean(text.count("\n") + 1 for text in texts)
        figures[f"depth{ending}"] = _mean(map(_depth, known))
        figures[f"known_names{ending}"] = _mean(name in words for tree in known for name in _names(tree))
        figures[f"copied_lines{ending}"] = _mean(line in lines for text in texts for line in _long_lines(text))
    return figures


def _mean(values: Iterable[float]) -> float:
    total = n = 0.0
    for value in values:
        total, n = total + value, n + 1
    return total / n if n else 0.0


def _depth(tree: ast.Module) -> int:
    """How many nodes stand below one another at most, the module among them."""
    depth = 0
    level: list[ast.AST] = [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _names(tree: ast.Module) -> Iterator[str]:
    """Every name that is written in a tree, as often as it is."""
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name"):
            name = getattr(node, field, None)
            if isinstance(name, str) and not keyword.iskeyword(name):
                yield name


def _long_lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.split("\n")) if len(line) >= _LONG_LINE]
