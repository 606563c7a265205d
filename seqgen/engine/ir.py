"""What a recorded step is: operations between named values, and which of the values are what.

Nothing here runs or looks into a tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Operation:
    """One tensor operation; values are named, and ``Name`` stands for them among the arguments."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[str, ...]
    many: bool  # whether it gives a list


class Name(str):
    """The name of a value."""


@dataclass
class Product:
    """A ``Recurrent`` applied in the step: its argument, and the gradient of what it gives."""

    weight: nn.Parameter
    bias: nn.Parameter | None
    argument: str = ""
    gradient: str | None = None


@dataclass
class Recording:
    """A step and its derivative, as operations.

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
        dtypes: its type.
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
