"""Operations written out as Python source, a line each, and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from seqgen.engine.buffers import Spared, writes_into
from seqgen.engine.ir import Name, Operation
from seqgen.engine.onednn_linear import WIDE, multiplier, product_with
from seqgen.engine.peephole import inputs
from seqgen.engine.torch_compat import fast_call

_aten = torch.ops.aten
_QUICK = {  # the same operations by the calls that cost Python least
    _aten.mm.default: torch.mm, _aten.addmm.default: torch.addmm, _aten.add.Tensor: torch.add,
    _aten.sub.Tensor: torch.sub, _aten.mul.Tensor: torch.mul, _aten.sigmoid.default: torch.sigmoid,
    _aten.tanh.default: torch.tanh, _aten.relu.default: torch.relu, _aten.cat.default: torch.cat,
    _aten.lerp.Tensor: torch.lerp, _aten.addcmul.default: torch.addcmul, _aten.stack.default: torch.stack,
    # Without autograd, which is told nothing of them, these are views as any.
    _aten.split.Tensor: torch.unsafe_split, _aten.split_with_sizes.default: torch.unsafe_split_with_sizes,
}  # fmt: skip
_PRODUCTS = (_aten.mm.default, _aten.addmm.default)
_SMALL = 1 << 16  # numbers of a matrix below which products with its transpose are slower than with a copy of that


class Source:
    """Python source in the making.

    Args:
        head: its first line, ``def loop(...):``.
        shapes: the shape of every value.
    """

    def __init__(self, head: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.lines = [head]
        self._shapes = shapes
        self._wide: set[str] = set()
        self.scope: dict[str, Any] = {"torch": torch, "minus_one": torch.tensor(-1.0)}
        self.scope |= {"multiplier": multiplier, "product_with": product_with}

    def add(self, depth: int, *lines: str) -> None:
        """Write lines."""
        self.lines += ["    " * depth + line for line in lines]

    def hoist(self, operations: list[Operation], constants: Iterable[str]) -> tuple[list[Operation], dict[str, int]]:
        """Write the operations that depend on constants only, which are the same at every step; the others remain.

        Args:
            operations: of a step.
            constants: values that do not change.

        Returns:
            The others, and the wide matrices that they multiply rows with, with the number of rows.
        """
        known = set(constants)
        steady: list[Operation] = []
        others: list[Operation] = []
        for op in operations:
            is_steady = all(name in known for name in inputs(op))
            known |= set(op.results) if is_steady else set()
            (steady if is_steady else others).append(op)
        self.operations(1, steady)
        turned = [op.results[0] for op in steady if op.function is _aten.t.default]
        small = [name for name in turned if math.prod(self._shapes[name]) <= _SMALL]
        self.add(1, *(f"{name} = {name}.contiguous()" for name in small))
        wide: dict[str, int] = {}
        for op in others:
            matrix = _factor(op)
            if matrix in known and math.prod(self._shapes[matrix]) >= WIDE:
                wide.setdefault(matrix, self._shapes[op.results[0]][0])
        return others, wide

    def multiply(self, wide: Mapping[str, int], steps: str) -> None:
        """Let rows be multiplied with matrices that were laid out for that.

        Args:
            wide: the matrices, with the number of rows.
            steps: how often, as an expression.
        """
        self.add(1, *(f"times_{name} = multiplier({name}, {n_rows}, {steps})" for name, n_rows in wide.items()))
        self._wide.update(wide)

    def multiply_laid_out(self, wide: Iterable[str]) -> None:
        """The same, of matrices that are given laid out already."""
        self._wide.update(wide)
        self.add(1, *(f"times_{name} = product_with({name})" for name in wide))

    def factors(self, operations: list[Operation]) -> list[str]:
        """The matrices that rows are multiplied with, one a product."""
        return [matrix for op in operations if (matrix := _factor(op)) is not None]

    def wide_results(self, operations: list[Operation]) -> list[str]:
        """Results of products with wide matrices that do not change, which cannot write to a given place."""
        return [op.results[0] for op in operations if self._is_wide(op)]

    def _is_wide(self, op: Operation) -> bool:
        return _factor(op) in self._wide

    def plain(self, depth: int, operations: list[Operation]) -> None:
        """Write operations as they are."""
        for op in operations:
            if self._is_wide(op):
                self._write_wide(depth, op, None)
            else:
                self._write(depth, op, self._call(op.function, op), "")

    def operations(
        self,
        depth: int,
        operations: list[Operation],
        places: Mapping[str, str] | None = None,
        spared: Spared | None = None,
    ) -> None:
        """Write operations by their quickest forms, those of ``places`` so that they write where it says."""
        left = dict(places or {})
        for op in operations:
            if spared is not None and op.results[0] in spared.sizes:
                self.add(depth, *spared.instead[op.results[0]])
                left.pop(op.results[0], None)
                continue
            place = left.pop(op.results[0], None) if len(op.results) == 1 else None
            if self._is_wide(op):
                self._write_wide(depth, op, place)
                continue
            function, keyword = _writing(op.function) if place is not None else (None, "")
            name = self._call(function or _QUICK.get(op.function) or fast_call(op.function), op)
            self._write(depth, op, name, f"{keyword}={place}" if function is not None else "")
            if place is not None and function is None:
                self.add(depth, f"{place}.copy_({op.results[0]})")
        self.add(depth, *(f"{place}.copy_({name})" for name, place in left.items()))

    def _write_wide(self, depth: int, op: Operation, place: str | None) -> None:
        *added, factor, matrix = op.args
        plus = f".add_({added[0]})" if added else ""
        self.add(depth, f"{op.results[0]} = times_{matrix}({factor}){plus}")
        if place is not None:
            self.add(depth, f"{place}.copy_({op.results[0]})")

    def _write(self, depth: int, op: Operation, name: str, extra: str) -> None:
        arguments = [self._spell(value) for value in op.args]
        arguments += [f"{key}={self._spell(value)}" for key, value in op.kwargs.items()]
        results = ", ".join(op.results) + ("," if op.many or len(op.results) > 1 else "")
        self.add(depth, f"{results} = {name}({', '.join([*arguments, *([extra] if extra else [])])})")

    def _call(self, function: Any, op: Operation) -> str:
        name = f"f{len(self.scope)}_{str(op.function).replace('.', '_')}"
        self.scope[name] = function
        return name

    def _spell(self, value: Any) -> str:
        if isinstance(value, Name):
            return str(value)
        if isinstance(value, list | tuple):
            return "[" + ", ".join(self._spell(item) for item in value) + "]"
        if value is None or isinstance(value, int | str) or (isinstance(value, float) and math.isfinite(value)):
            return repr(value)
        name = f"k{len(self.scope)}"
        self.scope[name] = value
        return name

    def text(self) -> str:
        """All that the function does."""
        values = {name: repr(value) for name, value in self.scope.items() if name.startswith("k")}
        return "\n".join([*self.lines, repr(values)])

    def compile(self) -> Callable[..., Any]:
        """The function ``loop``."""
        exec("\n".join(self.lines), self.scope)  # noqa: S102  # written here, from torch's own operations
        loop: Callable[..., Any] = self.scope["loop"]
        return loop


def _factor(op: Operation) -> Any:
    """The matrix that rows are multiplied with; None if the operation is no such product."""
    return op.args[-1] if op.function in _PRODUCTS and not op.kwargs else None


def _relu(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    return torch.clamp_min(x, 0, out=out)


def _writing(function: Any) -> tuple[Any, str]:
    """The quickest form of an operation that writes into a given tensor, and the name of that argument."""
    if function is _aten.relu.default:
        return _relu, "out"
    return (_QUICK[function], "out") if function in _QUICK else writes_into(function)
