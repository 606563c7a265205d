"""Metrics of Python code."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence

import seqgen
from seqgen_python.parsing import Definition, parsed

_WORD = re.compile(r"[^\W\d]\w*")
_LONG_LINE = 20  # characters; shorter lines, such as "return None", are common to all code
_MAX_HELD_OUT = 1000


def load() -> seqgen.Metric:
    """Return the metric; it has no options."""
    return python


def python(samples: Sequence[str], reference: Sequence[str], training: Iterable[str] = ()) -> dict[str, float | None]:
    """Return metrics of samples as Python code, next to the same metrics of held-out code.

    Args:
        samples: the texts to evaluate.
        reference: held-out code; the first 1,000 texts are used.
        training: the training code.

    Returns:
        ``parses``, the share that parses, and ``defines``, the share that also has a top-level function or class; then,
        each also with the suffix ``_held_out`` for the reference: ``lines``, the mean number of lines; ``depth``, the
        mean depth of the syntax trees; ``known_names``, the share of names that occur in training code (without any,
        in the reference) or among Python's builtins; ``copied_lines``, the share of lines of 20 characters or more,
        indentation removed, that occur in training code. None where there is nothing to count.
    """
    held_out = list(reference[:_MAX_HELD_OUT])
    words, lines = set(dir(builtins)), set()
    for text in training:
        words.update(_WORD.findall(text))
        lines.update(_long_lines(text))
    if not lines:
        words.update(word for text in held_out for word in _WORD.findall(text))
    trees = [parsed(text) for text in samples]
    metrics = {
        "parses": _mean(tree is not None for tree in trees),
        "defines": _mean(
            tree is not None and any(isinstance(node, Definition) for node in tree.body) for tree in trees
        ),
    }
    for suffix, texts, parsed_texts in (
        ("", samples, trees),
        ("_held_out", held_out, [parsed(text) for text in held_out]),
    ):
        valid = [tree for tree in parsed_texts if tree is not None]
        metrics[f"lines{suffix}"] = _mean(text.count("\n") + 1 for text in texts)
        metrics[f"depth{suffix}"] = _mean(map(_depth, valid))
        metrics[f"known_names{suffix}"] = _mean(name in words for tree in valid for name in _names(tree))
        metrics[f"copied_lines{suffix}"] = _mean(line in lines for text in texts for line in _long_lines(text))
    return metrics


def _mean(values: Iterable[float]) -> float | None:
    total = n = 0.0
    for value in values:
        total, n = total + value, n + 1
    return total / n if n else None


def _depth(tree: ast.Module) -> int:
    """Return the depth of a syntax tree in nodes, the module included."""
    depth = 0
    level: list[ast.AST] = [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _names(tree: ast.Module) -> Iterator[str]:
    """Yield every occurrence of a name in a tree."""
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name"):
            name = getattr(node, field, None)
            if isinstance(name, str):  # an imported one may have dots
                yield from (part for part in name.split(".") if not keyword.iskeyword(part))


def _long_lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.split("\n")) if len(line) >= _LONG_LINE]
