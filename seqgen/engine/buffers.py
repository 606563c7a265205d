"""Where the operations of a loop write, so that they need as little fresh memory as possible.

A ``cat`` in the loop is spared when its parts can be written side by side at once, and a value that is read for the
last time gives its memory to what is made from it.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from seqgen.engine.ir import Name, Operation, Recording
from seqgen.engine.peephole import inputs
from seqgen.engine.torch_compat import fast_call, schema_of

_aten = torch.ops.aten


@functools.cache
def writes_into(function: Any) -> tuple[Any, str]:
    """The form of an operation that writes into a given tensor, and the name of that argument; (None, "") if none."""
    wanted = [(argument.name, str(argument.type)) for argument in schema_of(function).arguments]
    packet = function.overloadpacket
    for overload in (getattr(packet, name) for name in packet.overloads()):
        arguments = schema_of(overload).arguments
        places = [argument.name for argument in arguments if argument.is_out]
        others = [(argument.name, str(argument.type)) for argument in arguments if not argument.is_out]
        if len(places) == 1 and others == wanted:
            return fast_call(overload), places[0]
    return None, ""


@dataclass
class Spared:
    """The ``cat`` operations of a loop that need not be.

    Attributes:
        sizes: for each of them, by its result, the sizes of its parts in the last dimension.
        places: where results are written instead.
        instead: the lines that stand for the operation.
        scratch: lines before the loop.
    """

    sizes: dict[str, list[int]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    instead: dict[str, list[str]] = field(default_factory=dict)
    scratch: list[str] = field(default_factory=list)

    def into(self, name: str) -> list[str]:
        """What the loop needs to write a collected value: the whole, and the parts if it is put together of any."""
        return [f"into_{name}", *(f"into_{name}_{index}" for index in range(len(self.sizes.get(name, ()))))]


def spare_cats(
    operations: list[Operation], collected: Sequence[str], carried: Sequence[str], shapes: Mapping[str, tuple[int, ...]]
) -> Spared:
    """Find the ``cat`` operations that can be spared.

    Args:
        operations: of the loop.
        collected: values of which every step's is kept, each in a tensor ``into_NAME`` given to the loop.
        carried: values that the next step reads.
        shapes: the shape of every value.
    """
    spared = Spared()
    makers = {op.results[0]: op for op in operations if len(op.results) == 1}
    seen_as_view = {name for op in operations if _is_view(op) for name in inputs(op)}
    for op in operations:
        if op.function is not _aten.cat.default:
            continue
        parts, result = list(op.args[0]), op.results[0]
        is_last = op.args[1:] in ((1,), (-1,)) and len(shapes[result]) == 2
        made_here = all(isinstance(part, Name) and part in makers and _strides(makers[part].function) for part in parts)
        kept = result in collected
        lasting = {result, *parts} & (seen_as_view | ({*carried} if kept else {*carried, *collected}))
        if not (is_last and made_here and len(set(parts)) == len(parts)) or lasting:
            continue
        whole = f"into_{result}" if kept else f"scratch_{result}"
        spared.sizes[result] = [shapes[part][1] for part in parts]
        spared.instead[result] = [f"{result} = {whole}"]
        for index, part in enumerate(parts):
            if part in spared.places or part in spared.sizes or part in collected:
                spared.instead[result].append(f"{whole}_{index}.copy_({part})")
            else:
                spared.places[part] = f"{whole}_{index}"
        if not kept:
            names = ", ".join(f"{whole}_{index}" for index in range(len(parts)))
            spared.scratch.append(f"{whole} = dy_T[0].new_empty({shapes[result]})")
            spared.scratch.append(f"{names}, = {whole}.split({spared.sizes[result]}, 1)")
    return spared


def reuse(
    operations: list[Operation],
    places: Mapping[str, str],
    lasting: Iterable[str],
    recording: Recording,
    *,
    fixed: Collection[str] = (),
    given: Iterable[str] = (),
) -> dict[str, str]:
    """Let operations write over values that they are the last to read.

    Args:
        operations: of the loop.
        places: where some results are to be written.
        lasting: values that are needed after the operations.
        recording: that the values are of.
        fixed: results of operations that cannot write where they are told.
        given: values from outside that may be written over.

    Returns:
        ``places``, and for further results the place, or the value over which they are written.
    """
    found, kinds = dict(places), _kinds(operations, recording)
    last_read = {name: index for index, op in enumerate(operations) for name in inputs(op)}
    views = [op for op in operations if _is_view(op)]
    spared = {*lasting, *(name for op in views for name in (*inputs(op), *op.results))}
    made = {op.results[0] for op in operations if len(op.results) == 1 and _strides(op.function)}
    free = {*made, *given} - spared
    overwritten = {}
    for index, op in enumerate(operations):
        result = op.results[0]
        if result not in made or result in fixed or op.function is _aten.mm.default:
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
        elif name not in found and name not in fixed:
            found[name] = found[result]
    return found


def _kinds(operations: list[Operation], recording: Recording) -> dict[str, Any]:
    """Shape and type of every value; those that the recording does not know are like what they are made from."""
    kinds: dict[str, Any] = {name: (shape, recording.dtypes[name]) for name, shape in recording.shapes.items()}
    for op in operations:
        for result in op.results:
            if result not in kinds and inputs(op):
                kinds[result] = kinds.get(inputs(op)[-1])
    return kinds


def _strides(function: Any) -> bool:
    """Whether an operation can be trusted to write into rows that do not lie together; a softmax, say, cannot."""
    trusted = torch.Tag.pointwise in function.tags or function in (_aten.mm.default, _aten.addmm.default)
    return trusted and writes_into(function)[0] is not None


def _is_view(op: Operation) -> bool:
    return any(result.alias_info is not None for result in schema_of(op.function).returns)
