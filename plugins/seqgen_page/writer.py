"""The source of a step under construction: buffers, loops, and the operations that are loops of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seqgen_page.arrays import Array, Expression, Stored, plus, strides_of, times

KINDS = {
    "float32": "Float32Array", "float64": "Float64Array", "int64": "Float64Array", "int32": "Int32Array",
    "bool": "Uint8Array", "uint8": "Uint8Array", "int16": "Int32Array", "int8": "Int32Array",
}  # fmt: skip
"""The typed array that values of a type are stored in; Float64Array keeps whole numbers exact up to 2**53."""
_LONGEST = 400  # characters of an expression, above which its value is stored


class Writer:
    """The lines of a step.

    What depends on the weights only is computed once, when the step is built. Buffers whose size is known then are made
    then; those that grow with the state are made in each step.

    Args:
        growing: names of sizes that change from step to step.
    """

    def __init__(self, growing: Sequence[Expression]) -> None:
        self.once: list[str] = []
        self.each: list[str] = []
        self._growing = growing
        self._n_names = 0

    def name(self, start: str) -> str:
        """Return a name that is not in use."""
        self._n_names += 1
        return f"{start}{self._n_names}"

    def lines(self, constant: bool) -> list[str]:
        """Return where to write: what is run once, or in each step."""
        return self.once if constant else self.each

    def buffer(self, shape: Sequence[Expression], dtype: str, constant: bool) -> Array:
        """Return a new contiguous array."""
        name, size = self.name("t"), times(*shape)
        made = f"const {name} = new {KINDS[dtype]}({size});"
        grows = any(size_name in one for one in shape for size_name in self._growing)
        self.lines(constant or not grows).append(made)
        return Array(tuple(shape), dtype, constant, Stored(name, "0", strides_of(shape)))

    def loops(self, shape: Sequence[Expression], body: Callable[[list[Expression]], Sequence[str]]) -> list[str]:
        """Return loops over all indices of a shape around the lines of a body."""
        indices = ["0" if size == "1" else self.name("i") for size in shape]
        heads = [
            f"for (let {index} = 0; {index} < {size}; {index}++)"
            for index, size in zip(indices, shape, strict=True)
            if size != "1"
        ]
        inner = list(body(indices))
        block = f"{{ {' '.join(inner)} }}"
        return [" ".join([*heads, inner[0] if len(inner) == 1 and heads else block])]

    def fill(self, target: Array, value: Array) -> None:
        """Write the entries of a value into a stored array of the same shape."""
        self.lines(target.constant).extend(
            self.loops(target.shape, lambda indices: [f"{target.at(indices)} = {value.at(indices)};"])
        )

    def stored(self, value: Array) -> Array:
        """Return an array with the same entries that is stored."""
        return value if value.stored is not None else self.copied(value)

    def contiguous(self, value: Array) -> Array:
        """Return an array with the same entries that is stored without gaps."""
        return value if value.is_contiguous else self.copied(value)

    def copied(self, value: Array) -> Array:
        """Return a new contiguous array with the same entries."""
        target = self.buffer(value.shape, value.dtype, value.constant)
        self.fill(target, value)
        return target

    def settled(self, value: Array, n_uses: int) -> Array:
        """Return a value stored if it is read several times, or is costly to write out."""
        if value.stored is not None:
            return value
        longest = len(value.at(["i"] * len(value.shape)))
        return self.copied(value) if n_uses > 1 or value.constant or longest > _LONGEST else value

    def reshaped(self, value: Array, shape: Sequence[Expression]) -> Array:
        """Return the entries in another shape."""
        found = value.reshaped(shape)
        if found is None:
            found = self.contiguous(value).reshaped(shape)
        assert found is not None
        return found

    def reduced(
        self, value: Array, dims: Sequence[int], keep: bool, start: str, step: Callable[[str, str], str],
        end: Callable[[str], str] = str,
    ) -> Array:  # fmt: skip
        """Return a value folded along dimensions.

        Args:
            value: what is folded.
            dims: the dimensions.
            keep: whether they stay, as 1.
            start: the result of nothing.
            step: from the result so far and an entry to the next result.
            end: from the last result to the entry of the result.
        """
        rank = len(value.shape)
        dims = [dim % rank for dim in dims] or list(range(rank))
        kept = [place for place in range(rank) if place not in dims]
        target = self.buffer([value.shape[place] for place in kept], value.dtype, value.constant)

        def body(outer: list[Expression]) -> list[str]:
            total = self.name("a")

            def inner(indices: list[Expression]) -> list[str]:
                found = dict(zip(kept, outer, strict=True)) | dict(zip(dims, indices, strict=True))
                return [f"{total} = {step(total, value.at([found[place] for place in range(rank)]))};"]

            loops = self.loops([value.shape[dim] for dim in dims], inner)
            return [f"let {total} = {start};", *loops, f"{target.at(outer)} = {end(total)};"]

        self.lines(value.constant).extend(self.loops(target.shape, body))
        if keep:
            for dim in sorted(dims):
                target = target.unsqueezed(dim)
        return target

    def concatenated(self, parts: Sequence[Array], dim: int) -> Array:
        """Return arrays one after another along a dimension."""
        first = parts[0]
        shape = [*first.shape]
        shape[dim] = plus(*(part.shape[dim] for part in parts))
        target = self.buffer(shape, first.dtype, all(part.constant for part in parts))
        start: Expression = "0"
        for part in parts:
            self.fill(target.sliced(dim, start, part.shape[dim]), part)
            start = plus(start, part.shape[dim])
        return target

    def product(self, a: Array, b: Array, bias: Array | None = None) -> Array:
        """Return a matrix product (M, K) x (K, N), plus a bias (N,) if there is one.

        A matrix that is constant is brought into the order in which the kernel reads it: a row an output.
        """
        (rows, inner), columns = a.shape, b.shape[1]
        constant = a.constant and b.constant and (bias is None or bias.constant)
        a, by_output = self.contiguous(a), self.contiguous(b.permuted([1, 0]))
        target = self.buffer((rows, columns), "float32", constant)
        added = None if bias is None else self.contiguous(bias).stored
        assert a.stored and by_output.stored and target.stored
        bias_text = "null, 0" if added is None else f"{added.name}, {added.offset}"
        weights = f"{by_output.stored.name}, {by_output.stored.offset}, {bias_text}"
        start = f"{target.stored.name}, {a.stored.name}, {a.stored.offset}"
        if by_output.constant and (bias is None or bias.constant) and not constant:
            name = self.name("m")
            self.once.append(f"const {name} = matrix({weights}, {inner}, {columns});")
            self.each.append(f"multiply({start}, {name}, {rows});")
        else:
            self.lines(constant).append(f"linear({start}, {weights}, {rows}, {inner}, {columns});")
        return target

    def batched_product(self, a: Array, b: Array) -> Array:
        """Return matrix products (B, M, K) x (B, K, N)."""
        a, b = self.stored(a), self.stored(b)
        shape = (a.shape[0], a.shape[1], b.shape[2])
        target = self.buffer(shape, "float32", a.constant and b.constant)

        def body(indices: list[Expression]) -> list[str]:
            total, k = self.name("a"), self.name("i")
            batch, row, column = indices
            term = f"{a.at([batch, row, k])} * {b.at([batch, k, column])}"
            loop = f"for (let {k} = 0; {k} < {a.shape[2]}; {k}++) {total} += {term};"
            return [f"let {total} = 0;", loop, f"{target.at(indices)} = {total};"]

        self.lines(target.constant).extend(self.loops(shape, body))
        return target
