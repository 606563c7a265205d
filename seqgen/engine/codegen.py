"""Code generation: operations written as Python source, one line each, and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from seqgen.engine.buffers import ElidedCats, out_variant
from seqgen.engine.ir import Name, Operation
from seqgen.engine.onednn_linear import WIDE, multiplier, packed_multiplier
from seqgen.engine.peephole import inputs
from seqgen.engine.torch_compat import fast_call

_aten = torch.ops.aten
_FAST = {  # the same operations by the calls with the least overhead
    _aten.mm.default: torch.mm, _aten.addmm.default: torch.addmm, _aten.add.Tensor: torch.add,
    _aten.sub.Tensor: torch.sub, _aten.mul.Tensor: torch.mul, _aten.sigmoid.default: torch.sigmoid,
    _aten.tanh.default: torch.tanh, _aten.relu.default: torch.relu, _aten.cat.default: torch.cat,
    _aten.lerp.Tensor: torch.lerp, _aten.addcmul.default: torch.addcmul, _aten.stack.default: torch.stack,
    # Unsafe is only that autograd does not know these views; there is no autograd here.
    _aten.split.Tensor: torch.unsafe_split, _aten.split_with_sizes.default: torch.unsafe_split_with_sizes,
}  # fmt: skip
_PRODUCTS = (_aten.mm.default, _aten.addmm.default)
_SMALL = 1 << 16  # elements of a matrix below which products with its transpose are slower than with a copy of that


class Codegen:
    """Python source of one function under construction.

    Args:
        head: its first line, ``def loop(...):``.
        shapes: the shape of every value.
    """

    def __init__(self, head: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.lines = [head]
        self._shapes = shapes
        self._wide: set[str] = set()
        self.scope: dict[str, Any] = {"torch": torch, "minus_one": torch.tensor(-1.0)}
        self.scope |= {"multiplier": multiplier, "packed_multiplier": packed_multiplier}

    def add(self, depth: int, *lines: str) -> None:
        """Write lines."""
        self.lines += ["    " * depth + line for line in lines]

    def hoist(self, operations: list[Operation], constants: Iterable[str]) -> tuple[list[Operation], dict[str, int]]:
        """Write the operations that depend on constants only, which give the same at every step.

        Args:
            operations: of a step.
            constants: values that do not change.

        Returns:
            The other operations, and the wide matrices that they multiply rows with, with the number of rows.
        """
        known = set(constants)
        invariant: list[Operation] = []
        others: list[Operation] = []
        for op in operations:
            is_invariant = all(name in known for name in inputs(op))
            known |= set(op.results) if is_invariant else set()
            (invariant if is_invariant else others).append(op)
        self.write(1, invariant)
        transposed = [op.results[0] for op in invariant if op.function is _aten.t.default]
        small = [name for name in transposed if math.prod(self._shapes[name]) <= _SMALL]
        self.add(1, *(f"{name} = {name}.contiguous()" for name in small))
        wide: dict[str, int] = {}
        for op in others:
            matrix = _factor(op)
            if matrix in known and math.prod(self._shapes[matrix]) >= WIDE:
                wide.setdefault(matrix, self._shapes[op.results[0]][0])
        return others, wide

    def bind_multipliers(self, wide: Mapping[str, int], steps: str) -> None:
        """Write a function ``times_NAME`` for each wide matrix, and use it for products with that matrix.

        Args:
            wide: the matrices, with the number of rows.
            steps: the number of products, as an expression.
        """
        self.add(1, *(f"times_{name} = multiplier({name}, {n_rows}, {steps})" for name, n_rows in wide.items()))
        self._wide.update(wide)

    def bind_packed(self, wide: Iterable[str]) -> None:
        """Do the same for matrices that are passed in packed."""
        self._wide.update(wide)
        self.add(1, *(f"times_{name} = packed_multiplier({name})" for name in wide))

    def factors(self, operations: list[Operation]) -> list[str]:
        """Return the matrices that rows are multiplied with, one a product."""
        return [matrix for op in operations if (matrix := _factor(op)) is not None]

    def wide_results(self, operations: list[Operation]) -> list[str]:
        """Return the results of products with bound matrices, which cannot write into a given buffer."""
        return [op.results[0] for op in operations if self._is_wide(op)]

    def _is_wide(self, op: Operation) -> bool:
        return _factor(op) in self._wide

    def write_plain(self, depth: int, operations: list[Operation]) -> None:
        """Write operations by their own calls, without buffers: for torch's compiler, which does better itself."""
        for op in operations:
            if self._is_wide(op):
                self._write_wide(depth, op, None)
            else:
                self._write_call(depth, op, self._bind(op.function, op), "")

    def write(
        self,
        depth: int,
        operations: list[Operation],
        buffers: Mapping[str, str] | None = None,
        elided: ElidedCats | None = None,
    ) -> None:
        """Write operations by their fastest calls.

        Args:
            depth: of indentation.
            operations: in order.
            buffers: by result, the name of the tensor that it is written into.
            elided: ``cat`` operations that are replaced.
        """
        left = dict(buffers or {})
        for op in operations:
            if elided is not None and op.results[0] in elided.sizes:
                self.add(depth, *elided.replacement[op.results[0]])
                left.pop(op.results[0], None)
                continue
            buffer = left.pop(op.results[0], None) if len(op.results) == 1 else None
            if self._is_wide(op):
                self._write_wide(depth, op, buffer)
                continue
            function, keyword = _out_call(op.function) if buffer is not None else (None, "")
            name = self._bind(function or _FAST.get(op.function) or fast_call(op.function), op)
            self._write_call(depth, op, name, f"{keyword}={buffer}" if function is not None else "")
            if buffer is not None and function is None:
                self.add(depth, f"{buffer}.copy_({op.results[0]})")
        self.add(depth, *(f"{buffer}.copy_({name})" for name, buffer in left.items()))

    def _write_wide(self, depth: int, op: Operation, buffer: str | None) -> None:
        *added, factor, matrix = op.args
        plus = f".add_({added[0]})" if added else ""
        self.add(depth, f"{op.results[0]} = times_{matrix}({factor}){plus}")
        if buffer is not None:
            self.add(depth, f"{buffer}.copy_({op.results[0]})")

    def _write_call(self, depth: int, op: Operation, name: str, extra: str) -> None:
        arguments = [self._literal(value) for value in op.args]
        arguments += [f"{key}={self._literal(value)}" for key, value in op.kwargs.items()]
        results = ", ".join(op.results) + ("," if op.returns_list or len(op.results) > 1 else "")
        self.add(depth, f"{results} = {name}({', '.join([*arguments, *([extra] if extra else [])])})")

    def _bind(self, function: Any, op: Operation) -> str:
        name = f"f{len(self.scope)}_{str(op.function).replace('.', '_')}"
        self.scope[name] = function
        return name

    def _literal(self, value: Any) -> str:
        if isinstance(value, Name):
            return str(value)
        if isinstance(value, list | tuple):
            return "[" + ", ".join(self._literal(item) for item in value) + "]"
        if value is None or isinstance(value, int | str) or (isinstance(value, float) and math.isfinite(value)):
            return repr(value)
        name = f"k{len(self.scope)}"
        self.scope[name] = value
        return name

    def text(self) -> str:
        """Return all that the function does, by which a compiled form of it is recognized."""
        values = {name: repr(value) for name, value in self.scope.items() if name.startswith("k")}
        return "\n".join([*self.lines, repr(values)])

    def compile(self) -> Callable[..., Any]:
        """Return the function ``loop``."""
        exec("\n".join(self.lines), self.scope)  # noqa: S102  # generated here, from torch's own operations
        loop: Callable[..., Any] = self.scope["loop"]
        return loop


def _factor(op: Operation) -> Any:
    """Return the matrix that rows are multiplied with; None if the operation is no such product."""
    return op.args[-1] if op.function in _PRODUCTS and not op.kwargs else None


def _relu(x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    return torch.clamp_min(x, 0, out=out)


def _out_call(function: Any) -> tuple[Any, str]:
    """Return the fastest call of an operation that writes into a given tensor, and the name of that argument."""
    if function is _aten.relu.default:
        return _relu, "out"
    return (_FAST[function], "out") if function in _FAST else out_variant(function)
