"""Arrays of a program as JavaScript sees them: dimensions, strides and indices are expressions.

An array is either stored, or computed entry by entry where it is read. Views of both change indices only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

Expression = str
"""An expression of JavaScript: a number, a name, or one in parentheses."""


def is_number(value: Expression) -> bool:
    """Return whether an expression is a whole number."""
    return value.lstrip("-").isdigit()


def plus(*terms: Expression) -> Expression:
    """Return the sum of expressions."""
    number = sum(int(term) for term in terms if is_number(term))
    others = [term for term in terms if not is_number(term)]
    if not others:
        return str(number)
    parts = [*others, *([str(number)] if number else [])]
    return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"


def times(*factors: Expression) -> Expression:
    """Return the product of expressions."""
    number = 1
    for factor in factors:
        number *= int(factor) if is_number(factor) else 1
    others = [factor for factor in factors if not is_number(factor)]
    if not number or not others:
        return str(number)
    parts = [*others, *([str(number)] if number != 1 else [])]
    return parts[0] if len(parts) == 1 else f"({' * '.join(parts)})"


def strides_of(shape: Sequence[Expression]) -> tuple[Expression, ...]:
    """Return the strides of a contiguous array."""
    return tuple(times(*shape[place + 1 :]) for place in range(len(shape)))


@dataclass(frozen=True)
class Stored:
    """A place in memory: the name of a typed array, the index of the first entry, and the strides."""

    name: str
    offset: Expression
    strides: tuple[Expression, ...]


@dataclass(frozen=True)
class Array:
    """A value of a program.

    Attributes:
        shape: its dimensions.
        dtype: "float32", "int64", "bool", ...: what it is stored as.
        constant: whether it depends on the weights only.
        stored: where it lies; None: it is computed where it is read.
        entry: from indices to the expression of an entry.
    """

    shape: tuple[Expression, ...]
    dtype: str
    constant: bool
    stored: Stored | None = None
    entry: Callable[[Sequence[Expression]], Expression] = field(default=lambda indices: "0")

    def at(self, indices: Sequence[Expression]) -> Expression:
        """Return the expression of an entry."""
        if self.stored is None:
            return self.entry(indices)
        pairs = zip(indices, self.stored.strides, strict=True)
        return f"{self.stored.name}[{plus(self.stored.offset, *(times(index, stride) for index, stride in pairs))}]"

    @property
    def is_contiguous(self) -> bool:
        """True if it is stored without gaps; the stride of a dimension of 1 does not matter."""
        if self.stored is None:
            return False
        wanted = strides_of(self.shape)
        return all(
            size == "1" or stride == want
            for size, stride, want in zip(self.shape, self.stored.strides, wanted, strict=True)
        )

    def mapped(
        self,
        shape: Sequence[Expression],
        indices: Callable[[Sequence[Expression]], Sequence[Expression]],
        stored: Stored | None = None,
    ) -> Array:
        """Return a view: another shape, and the indices here of its indices.

        Args:
            shape: of the view.
            indices: from indices of the view to indices of this array.
            stored: where the view lies, if this array is stored and the view has strides.
        """
        return replace(self, shape=tuple(shape), stored=stored, entry=lambda own: self.at(indices(own)))

    def permuted(self, order: Sequence[int]) -> Array:
        """Return a view with the dimensions in another order."""
        back = [list(order).index(place) for place in range(len(order))]
        stored = self.stored and replace(self.stored, strides=tuple(self.stored.strides[place] for place in order))
        return self.mapped([self.shape[place] for place in order], lambda own: [own[place] for place in back], stored)

    def sliced(self, dim: int, start: Expression, size: Expression, step: int = 1) -> Array:
        """Return a view of some entries along a dimension."""
        shape = [*self.shape[:dim], size, *self.shape[dim + 1 :]]
        stored = self.stored and replace(
            self.stored,
            offset=plus(self.stored.offset, times(start, self.stored.strides[dim])),
            strides=_with(self.stored.strides, dim, times(self.stored.strides[dim], str(step))),
        )
        return self.mapped(shape, lambda own: _with(own, dim, plus(start, times(own[dim], str(step)))), stored)

    def selected(self, dim: int, index: Expression) -> Array:
        """Return a view of one index along a dimension, which is dropped."""
        stored = self.stored and replace(
            self.stored,
            offset=plus(self.stored.offset, times(index, self.stored.strides[dim])),
            strides=_without(self.stored.strides, dim),
        )
        return self.mapped(_without(self.shape, dim), lambda own: [*own[:dim], index, *own[dim:]], stored)

    def unsqueezed(self, dim: int) -> Array:
        """Return a view with a dimension of 1 before another."""
        strides = None if self.stored is None else self.stored.strides
        stored = self.stored and replace(self.stored, strides=(*strides[:dim], "0", *strides[dim:]))  # type: ignore[index]
        return self.mapped([*self.shape[:dim], "1", *self.shape[dim:]], lambda own: _without(own, dim), stored)

    def squeezed(self, dims: Sequence[int]) -> Array:
        """Return a view without some dimensions of 1."""
        found = self
        for dim in sorted((dim for dim in dims if self.shape[dim] == "1"), reverse=True):
            found = found.selected(dim, "0")
        return found

    def expanded(self, shape: Sequence[Expression]) -> Array:
        """Return a view of a larger shape, along whose further dimensions all entries are equal."""
        extra = len(shape) - len(self.shape)
        kept = [size != "1" or shape[extra + place] == "1" for place, size in enumerate(self.shape)]
        stored = self.stored and replace(
            self.stored,
            strides=(
                *["0"] * extra,
                *(stride if keep else "0" for stride, keep in zip(self.stored.strides, kept, strict=True)),
            ),
        )
        return self.mapped(
            shape, lambda own: [own[extra + at] if keep else "0" for at, keep in enumerate(kept)], stored
        )

    def reshaped(self, shape: Sequence[Expression]) -> Array | None:
        """Return a view of another shape with the same entries in order; None if strides cannot say it."""
        if tuple(shape) == self.shape:
            return self
        if self.is_contiguous and self.stored is not None:
            stored = replace(self.stored, strides=strides_of(shape))
            return replace(self, shape=tuple(shape), stored=stored)
        bare = self.squeezed(range(len(self.shape)))
        if list(bare.shape) == [size for size in shape if size != "1"]:
            for place, size in enumerate(shape):
                bare = bare.unsqueezed(place) if size == "1" else bare
            return bare
        return None


def _with(values: Sequence[Expression], place: int, value: Expression) -> tuple[Expression, ...]:
    return (*values[:place], value, *values[place + 1 :])


def _without(values: Sequence[Expression], place: int) -> tuple[Expression, ...]:
    return (*values[:place], *values[place + 1 :])
