"""The intermediate representation of a step: operations between named values, forward and backward.

Plain data: nothing here runs an operation or reads a tensor. ``str`` shows it as code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Operation:
    """One tensor operation; a ``Name`` among its arguments stands for the value of that name."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[str, ...]
    returns_list: bool

    def __str__(self) -> str:
        arguments = [*map(_show, self.args), *(f"{key}={_show(value)}" for key, value in self.kwargs.items())]
        return f"{', '.join(self.results)} = {self.function}({', '.join(arguments)})"


class Name(str):
    """The name of a value."""


@dataclass
class Product:
    """A ``Recurrent`` applied in the step: the names of its argument and of the gradient of its result."""

    weight: nn.Parameter
    bias: nn.Parameter | None
    argument: str = ""
    gradient: str | None = None


@dataclass
class Trace:
    """The operations of a step and of its derivative.

    Attributes:
        forward: the step; reads "p", "s0", "s1", ... and constants.
        backward: its derivative; reads "dy", "d0", "d1", ..., constants and any value of ``forward``.
        constants: parameters and buffers by name.
        output: the name of y.
        states: the names of the leaves of the state after the step.
        d_input: the name of the gradient of p; None where it is zero.
        d_states: those of the leaves of the state before the step.
        d_parameters: parameters used directly, with the names of their gradients.
        products: the ``Recurrent`` maps, in the order in which they were applied.
        shapes: the shape of every value.
        dtypes: the type of every value.
    """

    forward: list[Operation] = field(default_factory=list)
    backward: list[Operation] = field(default_factory=list)
    constants: dict[str, Tensor] = field(default_factory=dict)
    output: str = ""
    states: list[str] = field(default_factory=list)
    d_input: str | None = None
    d_states: list[str | None] = field(default_factory=list)
    d_parameters: list[tuple[nn.Parameter, str]] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dtypes: dict[str, torch.dtype] = field(default_factory=dict)

    def __str__(self) -> str:
        numbers = range(len(self.states))
        step = ", ".join(["p", *(f"s{number}" for number in numbers)])
        derivative = ", ".join(["dy", *(f"d{number}" for number in numbers)])
        names = {id(constant): name for name, constant in self.constants.items()}
        products = [
            f"Recurrent({names[id(product.weight)]}): argument {product.argument}, gradient {product.gradient}"
            for product in self.products
        ]
        return "\n".join(
            [
                show_function(f"step({step})", self.forward, f"{self.output}, [{', '.join(self.states)}]"),
                show_function(f"derivative({derivative})", self.backward, f"{self.d_input}, {_show(self.d_states)}"),
                *products,
            ]
        )


def show_function(head: str, operations: Sequence[Operation], results: str) -> str:
    """Return operations as the text of a function."""
    return "\n".join([f"{head}:", *(f"    {operation}" for operation in operations), f"    return {results}"])


def _show(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_show, value))}]"
    return str(value)
