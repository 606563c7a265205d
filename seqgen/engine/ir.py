"""The intermediate representation of a step: operations between named values, forward and backward.

Plain data: nothing here runs an operation or reads a tensor.
"""

from __future__ import annotations

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
