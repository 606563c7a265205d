"""Operations of torch that fold values along dimensions: sums, largest values, norms, softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from seqgen_page.arrays import Array, Expression, plus, times
from seqgen_page.writer import Writer

Shape = tuple[Expression, ...]


def _fold(start: str, step: Callable[[str, str], str]) -> Callable[..., Array]:
    def reduce(
        write: Writer, shape: Shape, dtype: str, x: Array, dims: Any = (), keep: bool = False, **_: Any
    ) -> Array:
        chosen = [dims] if isinstance(dims, int) else list(dims or ())
        return replace(write.reduced(x, chosen, keep, start, step), dtype=x.dtype)

    return reduce


def _mean(write: Writer, shape: Shape, dtype: str, x: Array, dims: Any = (), keep: bool = False, **_: Any) -> Array:
    chosen = [dim % len(x.shape) for dim in dims or range(len(x.shape))]
    size = times(*(x.shape[dim] for dim in chosen))
    return write.reduced(x, chosen, keep, "0", lambda total, value: f"{total} + {value}", lambda t: f"{t} / {size}")


def _variance(
    write: Writer, shape: Shape, dtype: str, x: Array, dims: Any = None, correction: Any = 1, keepdim: bool = False
) -> Array:
    x, chosen = write.stored(x), [dim % len(x.shape) for dim in dims or range(len(x.shape))]
    mean = _mean(write, shape, dtype, x, chosen, True).expanded(x.shape)
    squares = Array(x.shape, dtype, x.constant, None, lambda own: f"square({x.at(own)} - {mean.at(own)})")
    size = plus(times(*(x.shape[dim] for dim in chosen)), str(-int(correction)))
    end = f"({size})"
    return write.reduced(squares, chosen, keepdim, "0", lambda a, value: f"{a} + {value}", lambda a: f"{a} / {end}")


def _norm(
    write: Writer, shape: Shape, dtype: str, x: Array, order: float = 2, dims: Any = (), keep: bool = False, **_: Any
) -> Array:
    def step(total: str, value: str) -> str:
        return f"{total} + square({value})" if order == 2 else f"{total} + Math.pow(Math.abs({value}), {order})"

    def end(total: str) -> str:
        return f"Math.sqrt({total})" if order == 2 else f"Math.pow({total}, {1 / order})"

    return write.reduced(x, list(dims or ()), keep, "0", step, end)


def _softmax(logarithm: bool) -> Callable[..., Array]:
    def soften(write: Writer, shape: Shape, dtype: str, x: Array, dim: int, *_: Any) -> Array:
        x = write.stored(x)
        most = write.reduced(x, [dim], True, "-Infinity", lambda a, value: f"Math.max({a}, {value})").expanded(shape)
        shifted = Array(shape, dtype, x.constant, None, lambda own: f"Math.exp({x.at(own)} - {most.at(own)})")
        powers = shifted if logarithm else write.copied(shifted)
        total = write.reduced(powers, [dim], True, "0", lambda a, value: f"{a} + {value}").expanded(shape)
        if logarithm:
            formula = lambda own: f"({x.at(own)} - {most.at(own)} - Math.log({total.at(own)}))"  # noqa: E731
        else:
            formula = lambda own: f"({powers.at(own)} / {total.at(own)})"  # noqa: E731
        return Array(shape, dtype, x.constant, None, formula)

    return soften


def _layer_norm(
    write: Writer, shape: Any, dtype: str, x: Array, sizes: Sequence[Any], weight: Any, bias: Any, eps: float
) -> list[Any]:
    x = write.stored(x)
    dims = list(range(len(x.shape) - len(sizes), len(x.shape)))
    mean = write.stored(_mean(write, (), "float32", x, dims, True).expanded(x.shape))
    square = Array(x.shape, "float32", x.constant, None, lambda own: f"square({x.at(own)} - {mean.at(own)})")
    variance = _mean(write, (), "float32", square, dims, True).expanded(x.shape)
    scale = None if weight is None else weight.expanded(x.shape)
    shift = None if bias is None else bias.expanded(x.shape)

    def entry(own: Sequence[Expression]) -> Expression:
        found = f"({x.at(own)} - {mean.at(own)}) / Math.sqrt({variance.at(own)} + {eps!r})"
        found += "" if scale is None else f" * {scale.at(own)}"
        return f"({found}{'' if shift is None else f' + {shift.at(own)}'})"

    return [Array(x.shape, "float32", x.constant, None, entry), None, None]


def _cumsum(write: Writer, shape: Shape, dtype: str, x: Array, dim: int, **_: Any) -> Array:
    dim, target = dim % len(shape), write.copied(x)
    before = target.sliced(dim, "0", plus(shape[dim], "-1"))
    after = target.sliced(dim, "1", plus(shape[dim], "-1"))
    total = Array(before.shape, dtype, x.constant, None, lambda own: f"({before.at(own)} + {after.at(own)})")
    write.fill(after, total)  # in order, so that each entry finds the sum before it
    return target


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _fold("0", lambda total, value: f"{total} + {value}"),
    "prod": _fold("1", lambda total, value: f"{total} * {value}"),
    "amax": _fold("-Infinity", lambda most, value: f"Math.max({most}, {value})"),
    "amin": _fold("Infinity", lambda least, value: f"Math.min({least}, {value})"),
    "any": _fold("0", lambda found, value: f"({found} || {value} ? 1 : 0)"),
    "mean": _mean, "linalg_vector_norm": _norm, "_softmax": _softmax(False), "_log_softmax": _softmax(True),
    "native_layer_norm": _layer_norm, "cumsum": _cumsum, "var": _variance,
}  # fmt: skip
"""By the name of an operation, its function; see ``operations.OPERATIONS``."""
