"""Peephole rules: fewer and faster operations for the same values.

Every rule replaces operations by one that gives the same numbers up to rounding; operations whose results are not read
are removed. The one for tanh rounds as at 1, so that a tanh of small arguments has an absolute error of about 1e-7, not
a relative one.
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
    operations: list[Operation], results: Iterable[str], shapes: Shapes, *, on_cpu: bool = True
) -> list[Operation]:
    """Apply the rules.

    Args:
        operations: in order; each value is assigned once.
        results: the values that are needed in the end.
        shapes: the shape of every value.
        on_cpu: whether they run on a CPU, where some operations are slower than others that give the same.
    """
    operations = [_fuse_addmm(op, index, operations, results, shapes) for index, op in enumerate(operations)]
    operations = [_fuse_sub(_merge_slices(op, operations), operations, shapes) for op in operations]
    operations = _remove_dead(_merge_duplicates(operations, set(results)), set(results))
    return [part for op in operations for part in (_tanh_by_sigmoid(op) if on_cpu else [op])]


def names_in(value: Any) -> list[str]:
    """Return the names of the values within an argument."""
    if isinstance(value, Name):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [name for item in value for name in names_in(item)]
    return []


def inputs(operation: Operation) -> list[str]:
    """Return the names of the values that an operation reads."""
    return names_in(operation.args) + names_in(operation.kwargs)


def _producer(value: Any, operations: list[Operation]) -> Operation | None:
    return next((op for op in operations if isinstance(value, Name) and value in op.results), None)


def _remove_dead(operations: list[Operation], read: set[str]) -> list[Operation]:
    live = []
    for operation in reversed(operations):
        if read & set(operation.results):
            live.append(operation)
            read |= set(inputs(operation))
    return live[::-1]


def _fuse_addmm(
    op: Operation, index: int, operations: list[Operation], results: Iterable[str], shapes: Shapes
) -> Operation:
    """Fuse ``p + h W`` into one operation."""
    if op.function is not _aten.add.Tensor or op.kwargs or len(op.args) != 2:
        return op
    uses = Counter(name for other in operations for name in inputs(other)) + Counter(results)
    for product, other in (op.args, op.args[::-1]):
        producer = _producer(product, operations[:index])
        used_once = producer is not None and producer.function is _aten.mm.default and uses[product] == 1
        if used_once and isinstance(other, Name) and shapes[other] == shapes[product]:
            assert producer is not None
            return replace(op, function=_aten.addmm.default, args=(other, *producer.args))
    return op


def _fuse_sub(op: Operation, operations: list[Operation], shapes: Shapes) -> Operation:
    """Fuse ``1 - x``, for which autograd first fills a tensor with ones, and ``x - y``, for which it adds ``-y``."""
    plain = not op.kwargs and len(op.args) == 2
    if op.function is _aten.sub.Tensor and plain:
        producer, other = _producer(op.args[0], operations), op.args[1]
        same_shape = shapes.get(other) == shapes[op.results[0]]  # x is not broadcast
        if same_shape and producer is not None and producer.function is _aten.fill.Scalar:
            return replace(op, function=_aten.rsub.Scalar, args=(other, producer.args[1]))
    if op.function is _aten.add.Tensor and plain:
        producer = _producer(op.args[1], operations)
        if producer is not None and producer.function is _aten.neg.default:
            return replace(op, function=_aten.sub.Tensor, args=(op.args[0], producer.args[0]))
    return op


def _tanh_by_sigmoid(op: Operation) -> list[Operation]:
    """Write ``tanh x = 2 sigmoid(2 x) - 1``: torch's sigmoid takes a fifth of the time of its tanh on AVX2 CPUs."""
    if op.function is not _aten.tanh.default:
        return [op]
    doubled, sigmoid = (Name(f"{op.results[0]}_{part}") for part in ("doubled", "sigmoid"))
    return [
        Operation(_aten.add.Tensor, (op.args[0], op.args[0]), {}, (doubled,), False),
        Operation(_aten.sigmoid.default, (doubled,), {}, (sigmoid,), False),
        Operation(_aten.add.Tensor, (Name("minus_one"), sigmoid), {"alpha": 2}, op.results, False),
    ]


def _slice_parts(value: Any, operations: list[Operation]) -> list[tuple[Any, int, int, tuple[Any, ...]]] | None:
    """Return the parts of which a value is the sum, each padded with zeros: (part, start, end, (shape, dim))."""
    producer = _producer(value, operations)
    if producer is None:
        return None
    if producer.function is _aten.slice_backward.default and producer.args[5] == 1:
        part, shape, dim, start, end, _ = producer.args
        return [(part, start, min(end, shape[dim]), (tuple(shape), dim))]
    if producer.function is _aten.add.Tensor and not producer.kwargs and len(producer.args) == 2:
        left, right = (_slice_parts(argument, operations) for argument in producer.args)
        return left + right if left and right and left[0][3] == right[0][3] else None
    return None


def _merge_slices(op: Operation, operations: list[Operation]) -> Operation:
    """Concatenate the gradients of adjacent slices, which autograd pads with zeros and adds."""
    if op.function is not _aten.add.Tensor:
        return op
    parts = _slice_parts(op.results[0], operations)
    if parts is None:
        return op
    parts.sort(key=lambda part: part[1])
    shape, dim = parts[0][3]
    borders = [0, *(end for _, _, end, _ in parts)]
    if borders[-1] != shape[dim] or [start for _, start, _, _ in parts] != borders[:-1]:
        return op
    return replace(op, function=_aten.cat.default, args=([part for part, _, _, _ in parts], dim))


def _merge_duplicates(operations: list[Operation], results: set[str]) -> list[Operation]:
    """Keep one of several equal operations, and remove multiplications by one."""
    same: dict[str, Name] = {}
    seen: dict[str, Operation] = {}
    remaining = []

    def renamed(value: Any) -> Any:
        if isinstance(value, Name):
            return same.get(value, value)
        if isinstance(value, list | tuple):
            return type(value)(renamed(item) for item in value)
        return value

    for op in operations:
        op = replace(op, args=renamed(op.args), kwargs={key: renamed(value) for key, value in op.kwargs.items()})
        if results & set(op.results):
            remaining.append(op)
            continue
        if op.function is _aten.mul.Scalar and op.args[1] == 1:
            same[op.results[0]] = op.args[0]
            continue
        key = repr((str(op.function), op.args, op.kwargs))
        if key in seen:
            same.update(zip(op.results, map(Name, seen[key].results), strict=True))
            continue
        seen[key] = op
        remaining.append(op)
    return remaining
