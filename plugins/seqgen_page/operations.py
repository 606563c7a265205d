"""Operations of torch that are views, loops of their own, or products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from seqgen_page.arrays import Array, Expression, is_number, plus, times
from seqgen_page.pointwise import number
from seqgen_page.reductions import REDUCTIONS, Shape
from seqgen_page.writer import Writer


def _view(write: Writer, shape: Shape, dtype: str, x: Array, *_: Any, **__: Any) -> Array:
    return write.reshaped(x, shape)


def _same(write: Writer, shape: Shape, dtype: str, x: Array, *_: Any, **__: Any) -> Array:
    return x


def _to_copy(write: Writer, shape: Shape, dtype: str, x: Array, *_: Any, **__: Any) -> Array:
    if x.dtype == dtype:
        return x
    whole = "int" in dtype and "float" in x.dtype
    return replace(
        x, dtype=dtype, stored=None, entry=lambda own: f"Math.trunc({x.at(own)})" if whole else f"(+{x.at(own)})"
    )


def _permute(write: Writer, shape: Shape, dtype: str, x: Array, order: Sequence[int]) -> Array:
    return x.permuted([place % len(x.shape) for place in order])


def _slice(
    write: Writer, shape: Shape, dtype: str, x: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Array:
    dim %= len(x.shape)
    begin = "0" if start is None else str(start)
    if is_number(begin) and int(begin) < 0:
        begin = plus(x.shape[dim], begin)
    if is_number(begin) and is_number(x.shape[dim]):
        begin = str(min(int(begin), int(x.shape[dim])))
    return x.sliced(dim, begin, shape[dim], step)


def _select(write: Writer, shape: Shape, dtype: str, x: Array, dim: int, index: Any) -> Array:
    dim %= len(x.shape)
    text = str(index)
    return x.selected(dim, plus(x.shape[dim], text) if is_number(text) and int(text) < 0 else text)


def _split(write: Writer, shape: Shape | None, dtype: str, x: Array, sizes: Any, dim: int = 0) -> list[Array]:
    dim %= len(x.shape)
    x = write.stored(x)
    if not isinstance(sizes, list):
        total, sizes = int(x.shape[dim]), int(sizes)
        sizes = [min(sizes, total - at) for at in range(0, total, sizes)]
    parts, start = [], "0"
    for size in map(str, sizes):
        parts.append(x.sliced(dim, start, size))
        start = plus(start, size)
    return parts


def _unfold(write: Writer, shape: Shape, dtype: str, x: Array, dim: int, size: int, step: int) -> Array:
    dim %= len(x.shape)
    stored = write.stored(x)
    return stored.mapped(shape, lambda own: [*own[:dim], plus(times(own[dim], str(step)), own[-1]), *own[dim + 1 : -1]])


def _flip(write: Writer, shape: Shape, dtype: str, x: Array, dims: Sequence[int]) -> Array:
    flipped = {dim % len(shape) for dim in dims}
    return x.mapped(
        shape,
        lambda own: [
            plus(shape[place], "-1", times(index, "-1")) if place in flipped else index
            for place, index in enumerate(own)
        ],
    )


def _repeat(write: Writer, shape: Shape, dtype: str, x: Array, times_: Sequence[Any]) -> Array:
    x = write.stored(x)
    extra = len(shape) - len(x.shape)
    return x.mapped(
        shape,
        lambda own: [
            "0" if size == "1" else index if size == whole else f"({index} % {size})"
            for index, size, whole in zip(own[extra:], x.shape, shape[extra:], strict=True)
        ],
    )


def _pad(write: Writer, shape: Shape, dtype: str, x: Array, widths: Sequence[Any], value: float = 0) -> Array:
    x = write.stored(x)
    before = {len(shape) - 1 - pair: str(widths[2 * pair]) for pair in range(len(widths) // 2)}

    def entry(own: Sequence[Expression]) -> Expression:
        inside = [
            plus(index, times(before[place], "-1")) if place in before else index for place, index in enumerate(own)
        ]
        tests = [f"{inside[place]} >= 0 && {inside[place]} < {x.shape[place]}" for place in before]
        return f"({' && '.join(tests)} ? {x.at(inside)} : {number(value)})"

    return Array(shape, dtype, x.constant, None, entry)


def _full(write: Writer, shape: Shape, dtype: str, of: Any, value: Any = 0, **_: Any) -> Array:
    return Array(shape, dtype, all(map(is_number, shape)), None, lambda own: number(value))


def _arange(write: Writer, shape: Shape, dtype: str, start: Any, end: Any, step: Any = 1, **_: Any) -> Array:
    constant = all(is_number(str(value)) for value in (start, step)) and is_number(shape[0])
    return Array(shape, dtype, constant, None, lambda own: plus(str(start), times(own[0], str(step))))


def _embedding(write: Writer, shape: Shape, dtype: str, weight: Array, ids: Array, *_: Any) -> Array:
    weight, ids = write.stored(weight), write.stored(ids)
    found = weight.mapped(shape, lambda own: [ids.at(own[:-1]), own[-1]])
    return replace(found, constant=weight.constant and ids.constant)


def _gather(write: Writer, shape: Shape, dtype: str, x: Array, dim: int, index: Array, **_: Any) -> Array:
    """Write ``gather``, or ``index_select``, whose index has one dimension."""
    x, index, dim = write.stored(x), write.stored(index), dim % len(x.shape)
    taken = slice(None) if len(index.shape) > 1 else slice(dim, dim + 1)
    found = x.mapped(shape, lambda own: [*own[:dim], index.at(own[taken]), *own[dim + 1 :]])
    return replace(found, constant=x.constant and index.constant)


def _index(write: Writer, shape: Shape, dtype: str, x: Array, indices: Sequence[Array | None]) -> Array:
    x, given = write.stored(x), [None if index is None else write.stored(index) for index in indices]
    first = next(place for place, index in enumerate(given) if index is not None)
    used = [index for index in given if index is not None]
    rank = max(len(index.shape) for index in used)  # that of all indices together, which take the place of the first
    constant = x.constant and all(index.constant for index in used)

    def indices_of(own: Sequence[Expression]) -> list[Expression]:
        shared, found, others = own[first : first + rank], list[Expression](), [*own[:first], *own[first + rank :]]
        for place, size in enumerate(x.shape):
            index = given[place] if place < len(given) else None
            if index is None:
                found.append(others.pop(0))
                continue
            own_shared = shared[rank - len(index.shape) :]
            value = index.at(["0" if one == "1" else at for at, one in zip(own_shared, index.shape, strict=True)])
            found.append(f"({value} < 0 ? {value} + {size} : {value})")
        return found

    return replace(x.mapped(shape, indices_of), constant=constant)


def _cat(write: Writer, shape: Shape, dtype: str, parts: Sequence[Array], dim: int = 0) -> Array:
    whole = [part for part in parts if not (len(part.shape) == 1 and part.shape[0] == "0")]
    return whole[0] if len(whole) == 1 else write.concatenated(whole, dim % len(shape))


def _addmm(write: Writer, shape: Shape, dtype: str, bias: Array, a: Array, b: Array) -> Array:
    if len(bias.shape) == 1 and bias.shape[0] == shape[1]:
        return write.product(a, b, bias)
    product, added = write.product(a, b), bias.expanded(shape)
    return Array(shape, dtype, False, None, lambda own: f"({product.at(own)} + {added.at(own)})")


OPERATIONS: dict[str, Callable[..., Any]] = {
    "view": _view, "reshape": _view, "_unsafe_view": _view, "alias": _same, "clone": _same, "detach": _same,
    "lift_fresh_copy": _same, "_to_copy": _to_copy, "permute": _permute, "slice": _slice, "select": _select,
    "split_with_sizes": _split, "split": _split, "unfold": _unfold, "flip": _flip, "repeat": _repeat,
    "constant_pad_nd": _pad, "full": _full, "full_like": _full, "arange": _arange, "index_select": _gather,
    "embedding": _embedding, "gather": _gather, "cat": _cat, "addmm": _addmm, "index": _index,
    "unsqueeze": lambda write, shape, dtype, x, dim: x.unsqueezed(dim % len(shape)),
    "squeeze": lambda write, shape, dtype, x, dims=(): write.reshaped(x, shape),
    "expand": lambda write, shape, dtype, x, *_, **__: write.stored(x).expanded(shape),
    "sym_size": lambda write, shape, dtype, x, dim: x.shape[dim],
    "scalar_tensor": lambda write, shape, dtype, value, **_: _full(write, shape, dtype, None, value),
    "mm": lambda write, shape, dtype, a, b: write.product(a, b),
    "bmm": lambda write, shape, dtype, a, b: write.batched_product(a, b),
    **REDUCTIONS,
}  # fmt: skip
"""By the name of an operation, the function of the writer, the shape and type of the result, and its arguments."""
