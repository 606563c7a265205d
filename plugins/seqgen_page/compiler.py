"""Translation of a traced step to JavaScript."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import seqgen
from seqgen_page.arrays import Array, Expression, Stored, is_number, plus, strides_of, times
from seqgen_page.operations import OPERATIONS
from seqgen_page.pointwise import POINTWISE, number
from seqgen_page.writer import KINDS, Writer

_SYMBOL = re.compile(r"[A-Za-z_]\w*")
_CHECKS = ("_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size", "sym_constrain_range")
_LARGE = 1 << 22  # times a number of 31 bits
_STORAGE = ("dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking")
_ARITHMETIC = {operator.add: plus, operator.mul: times, operator.sub: lambda a, b: plus(a, times(b, "-1"))}


class Compiler:
    """The translation of one program.

    Args:
        program: of ``exporting.traced_program``.

    Attributes:
        weights: the tensors that the step reads, by name, in the order of the script's arguments.
        parameters: the names of those that are parameters; the others are buffers and constants.
        largest: the largest number of entries that a growing state may have; None: any.
    """

    def __init__(self, program: Any) -> None:
        self._program, self._values = program, dict[str, Any]()
        self.weights: dict[str, Any] = {}
        self._inputs = [node for node in program.graph.nodes if node.op == "placeholder"]
        signature = program.graph_signature
        self.parameters = frozenset(signature.inputs_to_parameters.values())
        of_weights = {
            **signature.inputs_to_parameters, **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }  # fmt: skip
        self._weight_of = of_weights
        self._ids, *self._leaves = [node for node in self._inputs if node.name not in of_weights]
        self._sizes = self._find_sizes()
        self.writer = Writer([name for name in self._sizes if name != self.rows])
        self.largest = self._find_largest()

    @property
    def rows(self) -> str:
        """The name of the number of rows."""
        return str(self._ids.meta["val"].shape[0])

    def _find_sizes(self) -> dict[str, Expression]:
        """Return the names of sizes that are not numbers, each with the expression that gives it."""
        found = {self.rows: "rows"}
        for place, leaf in enumerate(self._leaves):
            shape = leaf.meta["val"].shape
            for dim, size in enumerate(shape):
                if _SYMBOL.fullmatch(str(size)) and str(size) not in found:
                    others = times(*(self._size(other) for at, other in enumerate(shape) if at != dim))
                    found[str(size)] = f"state[{place}].length / {others}"
        return found

    def _find_largest(self) -> int | None:
        limits = []
        for symbol, bounds in self._program.range_constraints.items():
            if str(symbol) in self._sizes and str(symbol) != self.rows and str(bounds.upper).isdigit():
                limits.append(int(bounds.upper))
        return min(limits) if limits else None

    def _find_checks(self) -> set[Any]:
        """Return the nodes that only check sizes, and those whose results only these use, as torch 2.8 leaves them."""
        found: set[Any] = set()
        for node in reversed(self._program.graph.nodes):
            if _name_of(node) in _CHECKS or (
                node.op == "call_function" and node.users and found.issuperset(node.users)
            ):
                found.add(node)
        return found

    def _size(self, size: Any) -> Expression:
        """Return a size as an expression.

        Raises:
            ExportRefused: it is more than sums and products.
        """
        text = str(size).replace("Max(", "Math.max(").replace("Min(", "Math.min(")
        if is_number(text):
            return text
        if re.sub(r"Math\.(max|min)|[\w+*(), -]", "", text) or "**" in text:
            raise seqgen.ExportRefused(f"cannot export this model as a page: a size of its step is {size}")
        return text if _SYMBOL.fullmatch(text) else f"({text})"

    def source(self) -> str:
        """Return the script: a function of weights and a number of rows that returns the step.

        Raises:
            ExportRefused: an operation has no translation; the line names it.
        """
        checks = self._find_checks()
        for node in self._program.graph.nodes:
            if node.op == "placeholder":
                self._values[node.name] = self._input(node)
            elif node.op == "call_function" and node not in checks:
                self._values[node.name] = self._result(node)
            elif node.op == "output":
                outputs = [self._values[output.name] for output in node.args[0]]
        logits, *leaves = outputs
        logits = self.writer.contiguous(logits)
        for place, leaf in enumerate(leaves):
            name = f"next{place}"
            size = times(*leaf.shape)
            self.writer.each.append(f"const {name} = resized(after, {place}, {KINDS[leaf.dtype]}, {size});")
            self.writer.fill(Array(leaf.shape, leaf.dtype, False, Stored(name, "0", strides_of(leaf.shape))), leaf)
        assert logits.stored is not None
        sizes = [f"const {name} = {size};" for name, size in self._sizes.items() if name not in ("rows", self.rows)]
        reads = [f"const h{place} = state[{place}];" for place in range(len(self._leaves))]
        rows = [] if self.rows == "rows" else [f"const {self.rows} = rows;"]
        end = f"return {logits.stored.name};" if logits.stored.offset == "0" else ""
        return "\n".join([
            "function makeStep(weights, rows) {", *rows, *self.writer.once, "return function step(ids, state, after) {",
            *sizes, *reads, *self.writer.each, end, "};", "}",
        ])  # fmt: skip

    def _input(self, node: Any) -> Array:
        value = node.meta["val"]
        shape = tuple(self._size(size) for size in value.shape)
        dtype = str(value.dtype).removeprefix("torch.")
        if dtype not in KINDS:
            raise seqgen.ExportRefused(f"cannot export this model as a page: it holds numbers of the type {dtype}")
        if node.name in self._weight_of:
            name = self._weight_of[node.name]
            program = self._program
            tensor = program.state_dict.get(name)
            if name not in self.weights:
                self.weights[name] = program.constants[name] if tensor is None else tensor
                place = len(self.weights) - 1
                self.writer.once.append(f"const w{place} = weights[{place}];")
            stored = Stored(f"w{list(self.weights).index(name)}", "0", strides_of(shape))
            return Array(shape, dtype, True, stored)
        name = "ids" if node is self._ids else f"h{self._leaves.index(node)}"
        return Array(shape, "int32" if node is self._ids else dtype, False, Stored(name, "0", strides_of(shape)))

    def _result(self, node: Any) -> Any:
        if node.target is operator.getitem:
            return self._values[node.args[0].name][node.args[1]]
        if node.target in _ARITHMETIC:
            return _ARITHMETIC[node.target](*(str(self._argument(value)) for value in node.args))
        if getattr(node.target, "__name__", "") in ("sym_max", "sym_min"):
            a, b = (self._argument(value) for value in node.args)
            return f"Math.{node.target.__name__[4:]}({a}, {b})"
        name = _name_of(node)
        args = [self._argument(value) for value in node.args]
        kwargs = {key: self._argument(value) for key, value in node.kwargs.items() if key not in _STORAGE}
        shape, dtype = self._described(node)
        n_uses = len(node.users)
        if dtype == "int64" and name == "mul" and any(isinstance(one, int) and one >= _LARGE for one in args):
            raise seqgen.ExportRefused(
                f"cannot export this model as a page: it multiplies whole numbers by {max(args[1:])}, and numbers of "
                "JavaScript are exact up to 2**53 only; a network blended with counts (--blend ngram) can be exported"
            )
        if name in POINTWISE and shape is not None:
            return self.writer.settled(self._pointwise(name, args, kwargs, shape, dtype), n_uses)
        if name not in OPERATIONS:
            raise seqgen.ExportRefused(
                f"cannot export this model as a page: there is no translation of torch's operation {node.target}"
            )
        if n_uses > 1 and isinstance(args[0], Array):  # a view that is read several times
            args[0] = self.writer.settled(args[0], n_uses)
        found = OPERATIONS[name](self.writer, shape, dtype, *args, **kwargs)
        if isinstance(found, Array) and _depends_on_sizes(args):
            found = replace(found, constant=False)
        return self.writer.settled(found, n_uses) if isinstance(found, Array) else found

    def _described(self, node: Any) -> tuple[tuple[Expression, ...] | None, str]:
        """Return the shape and the type of a result; None for several, or a number."""
        value = node.meta.get("val")
        if value is None or not hasattr(value, "shape"):
            return None, ""
        return tuple(self._size(size) for size in value.shape), str(value.dtype).removeprefix("torch.")

    def _argument(self, value: Any) -> Any:
        """Return an argument: arrays and sizes for nodes, the rest as it is."""
        if isinstance(value, list | tuple):
            return [self._argument(item) for item in value]
        if hasattr(value, "op") and hasattr(value, "name"):
            return self._values[value.name]
        return value

    def _pointwise(
        self, name: str, args: Sequence[Any], kwargs: dict[str, Any], shape: tuple[Expression, ...], dtype: str
    ) -> Array:
        formula, arrays = POINTWISE[name], [value for value in args if isinstance(value, Array)]
        operands = []
        for value in args:
            if isinstance(value, Array):
                # What is repeated along a dimension is computed once.
                repeated = value.shape != shape and value.stored is None and bool(value.shape)
                operands.append((self.writer.copied(value) if repeated else value).expanded(shape))
            else:
                operands.append(value)
        words = {key: number(value) for key, value in kwargs.items()}

        def entry(indices: Sequence[Expression]) -> Expression:
            given = [
                operand.at(indices) if isinstance(operand, Array)
                else "" if operand is None else number(operand)
                for operand in operands
            ]  # fmt: skip
            return formula(*given, **words)

        constant = all(value.constant for value in arrays) and not _depends_on_sizes(args)
        return Array(shape, dtype, constant, None, entry)


def _name_of(node: Any) -> str:
    """Return the name of the operation of a node."""
    return str(node.target).removeprefix("aten.").partition(".")[0]


def _depends_on_sizes(values: Any) -> bool:
    """Return whether a number among arguments follows from the number of rows or the size of the state."""
    if isinstance(values, list):
        return any(map(_depends_on_sizes, values))
    return isinstance(values, str) and not is_number(values)
