"""Buffer planning: which operations of a loop write into existing memory instead of allocating.

A ``cat`` in the loop is elided when its parts can be written next to each other at once, and a value that is read for
the last time gives its memory to the result that is computed from it.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from seqgen.engine.ir import Name, Operation, Trace
from seqgen.engine.peephole import inputs
from seqgen.engine.torch_compat import fast_call, schema_of

_aten = torch.ops.aten


@functools.cache
def out_variant(function: Any) -> tuple[Any, str]:
    """Return the form of an operation that writes into a given tensor, and the name of that argument.

    Without such a form, return (None, "").
    """
    wanted = [(argument.name, str(argument.type)) for argument in schema_of(function).arguments]
    packet = function.overloadpacket
    for overload in (getattr(packet, name) for name in packet.overloads()):
        arguments = schema_of(overload).arguments
        outputs = [argument.name for argument in arguments if argument.is_out]
        others = [(argument.name, str(argument.type)) for argument in arguments if not argument.is_out]
        if len(outputs) == 1 and others == wanted:
            return fast_call(overload), outputs[0]
    return None, ""


@dataclass
class ElidedCats:
    """The ``cat`` operations of a loop that are not executed.

    Attributes:
        sizes: for each of them, by its result, the sizes of its parts in the last dimension.
        buffers: for other results, the buffer that each is written into.
        replacement: for each of them, the lines in its place.
        scratch: lines before the loop.
    """

    sizes: dict[str, list[int]] = field(default_factory=dict)
    buffers: dict[str, str] = field(default_factory=dict)
    replacement: dict[str, list[str]] = field(default_factory=dict)
    scratch: list[str] = field(default_factory=list)

    def buffers_of(self, name: str) -> list[str]:
        """Return the buffers that the loop needs for a result of each step: the whole, and those of its parts."""
        return [f"out_{name}", *(f"out_{name}_{index}" for index in range(len(self.sizes.get(name, ()))))]


def elide_cats(
    operations: list[Operation], per_step: Sequence[str], carried: Sequence[str], shapes: Mapping[str, tuple[int, ...]]
) -> ElidedCats:
    """Find the ``cat`` operations that need not be executed.

    Args:
        operations: of the loop.
        per_step: values that are kept of every step, each in a tensor ``out_NAME`` passed to the loop.
        carried: values that the next step reads.
        shapes: the shape of every value.
    """
    elided = ElidedCats()
    producers = {op.results[0]: op for op in operations if len(op.results) == 1}
    viewed = {name for op in operations if is_view(op) for name in inputs(op)}

    def writable(part: Any) -> bool:
        return isinstance(part, Name) and part in producers and _writes_strided(producers[part].function)

    for op in operations:
        if op.function is not _aten.cat.default:
            continue
        parts, result = list(op.args[0]), op.results[0]
        is_last = op.args[1:] in ((1,), (-1,)) and len(shapes[result]) == 2
        kept = result in per_step
        needed_later = {result, *parts} & (viewed | ({*carried} if kept else {*carried, *per_step}))
        if not (is_last and all(map(writable, parts)) and len(set(parts)) == len(parts)) or needed_later:
            continue
        whole = f"out_{result}" if kept else f"scratch_{result}"
        elided.sizes[result] = [shapes[part][1] for part in parts]
        elided.replacement[result] = [f"{result} = {whole}"]
        for index, part in enumerate(parts):
            if part in elided.buffers or part in elided.sizes or part in per_step:
                elided.replacement[result].append(f"{whole}_{index}.copy_({part})")
            else:
                elided.buffers[part] = f"{whole}_{index}"
        if not kept:
            names = ", ".join(f"{whole}_{index}" for index in range(len(parts)))
            elided.scratch.append(f"{whole} = dy_T[0].new_empty({shapes[result]})")
            elided.scratch.append(f"{names}, = {whole}.split({elided.sizes[result]}, 1)")
    return elided


def reuse_memory(
    operations: list[Operation],
    buffers: Mapping[str, str],
    live_out: Iterable[str],
    trace: Trace,
    *,
    not_writable: Collection[str] = (),
    overwritable: Iterable[str] = (),
) -> dict[str, str]:
    """Let operations write over values that they are the last to read.

    Args:
        operations: of the loop.
        buffers: by result, the buffer it is to be written into.
        live_out: values that are needed after the operations.
        trace: that the values are of.
        not_writable: results of operations that cannot write into a given buffer.
        overwritable: values from outside that may be overwritten.

    Returns:
        ``buffers``, with a buffer, or the value to overwrite, for further results.
    """
    found, kinds = dict(buffers), _shapes_and_types(operations, trace)
    last_read = {name: index for index, op in enumerate(operations) for name in inputs(op)}
    views = [op for op in operations if is_view(op)]
    needed = {*live_out, *(name for op in views for name in (*inputs(op), *op.results))}
    made = {op.results[0] for op in operations if len(op.results) == 1 and _writes_strided(op.function)}
    free = {*made, *overwritable} - needed
    overwritten = {}
    for index, op in enumerate(operations):
        result = op.results[0]
        if result not in made or result in not_writable or op.function is _aten.mm.default:
            continue
        read = op.args[:1] if op.function is _aten.addmm.default else inputs(op)
        for name in read:
            if name in free and last_read[name] == index and kinds[name] == kinds[result]:
                if name in made:
                    overwritten[result] = name
                else:
                    found.setdefault(result, name)
                break
    for result, name in reversed(overwritten.items()):
        if result not in found:
            found[result] = name
        elif name not in found and name not in not_writable:
            found[name] = found[result]
    return found


def _shapes_and_types(operations: list[Operation], trace: Trace) -> dict[str, Any]:
    """Return shape and type of every value; one that the rules added has those of what it is computed from."""
    kinds: dict[str, Any] = {name: (shape, trace.dtypes[name]) for name, shape in trace.shapes.items()}
    for op in operations:
        for result in op.results:
            if result not in kinds and inputs(op):
                kinds[result] = kinds.get(inputs(op)[-1])
    return kinds


def _writes_strided(function: Any) -> bool:
    """Return whether an operation writes correctly into rows that are not contiguous; a softmax, say, does not."""
    trusted = torch.Tag.pointwise in function.tags or function in (_aten.mm.default, _aten.addmm.default)
    return trusted and out_variant(function)[0] is not None


def is_view(op: Operation) -> bool:
    """Return whether a result of an operation shares memory with an argument."""
    return any(result.alias_info is not None for result in schema_of(op.function).returns)
