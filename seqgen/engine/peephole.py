"""Fewer operations for the same values: what a recorded step can do without.

Every rule replaces operations by one that gives the same numbers up to rounding; an operation whose result nobody
reads disappears.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch

from seqgen.engine.ir import Name, Operation

_aten = torch.ops.aten
Shapes = Mapping[str, tuple[int, ...]]


def simplify(
    operations: list[Operation], read: Iterable[str], shapes: Shapes, *, on_cpu: bool = True
) -> list[Operation]:
    """Apply the rules.

    Args:
        operations: in order; each value is assigned once.
        read: the values that are needed in the end.
        shapes: the shape of every value.
        on_cpu: whether they run on a CPU, where some operations are slower than others that give the same.
    """
    operations = [_add_product(op, index, operations, read, shapes) for index, op in enumerate(operations)]
    operations = [_minus(_pieces(op, operations), operations) for op in operations]
    operations = _needed(_without_twins(operations, set(read)), set(read))
    return [part for op in operations for part in (_quick_tanh(op) if on_cpu else [op])]


def names_in(value: Any) -> list[str]:
    """The values that an argument mentions."""
    if isinstance(value, Name):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [name for item in value for name in names_in(item)]
    return []


def inputs(operation: Operation) -> list[str]:
    """The values that an operation reads."""
    return names_in(operation.args) + names_in(operation.kwargs)


def _maker(value: Any, operations: list[Operation]) -> Operation | None:
    return next((op for op in operations if isinstance(value, Name) and value in op.results), None)


def _needed(operations: list[Operation], read: set[str]) -> list[Operation]:
    kept = []
    for operation in reversed(operations):
        if read & set(operation.results):
            kept.append(operation)
            read |= set(inputs(operation))
    return kept[::-1]


def _add_product(
    op: Operation, index: int, operations: list[Operation], read: Iterable[str], shapes: Shapes
) -> Operation:
    """``p + h W`` in one."""
    if op.function is not _aten.add.Tensor or op.kwargs or len(op.args) != 2:
        return op
    uses = Counter(name for other in operations for name in inputs(other)) + Counter(read)
    for product, other in (op.args, op.args[::-1]):
        made = _maker(product, operations[:index])
        alone = made is not None and made.function is _aten.mm.default and uses[product] == 1
        if alone and isinstance(other, Name) and shapes[other] == shapes[product]:
            assert made is not None
            return replace(op, function=_aten.addmm.default, args=(other, *made.args))
    return op


def _minus(op: Operation, operations: list[Operation]) -> Operation:
    """``1 - x``, for which autograd fills a tensor with ones first, and ``x - y``, for which it adds ``-y``."""
    plain = not op.kwargs and len(op.args) == 2
    if op.function is _aten.sub.Tensor and plain:
        made = _maker(op.args[0], operations)
        if made is not None and made.function is _aten.fill.Scalar:
            return replace(op, function=_aten.rsub.Scalar, args=(op.args[1], made.args[1]))
    if op.function is _aten.add.Tensor and plain:
        made = _maker(op.args[1], operations)
        if made is not None and made.function is _aten.neg.default:
            return replace(op, function=_aten.sub.Tensor, args=(op.args[0], made.args[0]))
    return op


def _quick_tanh(op: Operation) -> list[Operation]:
    """``tanh x = 2 sigmoid(2 x) - 1``: torch's sigmoid takes a fifth of the time of its tanh on CPUs with AVX2."""
    if op.function is not _aten.tanh.default:
        return [op]
    doubled, risen = (Name(f"{op.results[0]}_{step}") for step in ("doubled", "risen"))
    return [
        Operation(_aten.add.Tensor, (op.args[0], op.args[0]), {}, (doubled,), False),
        Operation(_aten.sigmoid.default, (doubled,), {}, (risen,), False),
        Operation(_aten.add.Tensor, (Name("minus_one"), risen), {"alpha": 2}, op.results, False),
    ]


def _piece(value: Any, operations: list[Operation]) -> list[tuple[Any, int, int, tuple[Any, ...]]] | None:
    """The pieces whose sum, each in a field of zeros, a value is: (piece, start, end, (shape, dim))."""
    made = _maker(value, operations)
    if made is None:
        return None
    if made.function is _aten.slice_backward.default and made.args[5] == 1:
        piece, shape, dim, start, end, _ = made.args
        return [(piece, start, min(end, shape[dim]), (tuple(shape), dim))]
    if made.function is _aten.add.Tensor and not made.kwargs and len(made.args) == 2:
        left, right = (_piece(argument, operations) for argument in made.args)
        return left + right if left and right and left[0][3] == right[0][3] else None
    return None


def _pieces(op: Operation, operations: list[Operation]) -> Operation:
    """Gradients of slices that lie side by side, in one piece instead of a sum of fields of zeros."""
    if op.function is not _aten.add.Tensor:
        return op
    found = _piece(op.results[0], operations)
    if found is None:
        return op
    found.sort(key=lambda piece: piece[1])
    shape, dim = found[0][3]
    borders = [0, *(end for _, _, end, _ in found)]
    if borders[-1] != shape[dim] or [start for _, start, _, _ in found] != borders[:-1]:
        return op
    return replace(op, function=_aten.cat.default, args=([piece for piece, _, _, _ in found], dim))


def _without_twins(operations: list[Operation], read: set[str]) -> list[Operation]:
    """Each operation once, and no multiplication by one."""
    same: dict[str, Name] = {}
    seen: dict[str, Operation] = {}
    kept = []

    def renamed(value: Any) -> Any:
        if isinstance(value, Name):
            return same.get(value, value)
        if isinstance(value, list | tuple):
            return type(value)(renamed(item) for item in value)
        return value

    for op in operations:
        op = replace(op, args=renamed(op.args), kwargs={key: renamed(value) for key, value in op.kwargs.items()})
        if read & set(op.results):
            kept.append(op)
            continue
        if op.function is _aten.mul.Scalar and op.args[1] == 1:
            same[op.results[0]] = op.args[0]
            continue
        key = repr((str(op.function), op.args, op.kwargs))
        if key in seen:
            same.update(zip(op.results, map(Name, seen[key].results), strict=True))
            continue
        seen[key] = op
        kept.append(op)
    return kept
