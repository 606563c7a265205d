"""Products with wide matrices by oneDNN: a matrix packed once costs a fifth less in many products on a CPU.

A row of the result has the same bits however many rows are computed together.

Dimension letters: B rows, I features in, O features out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from seqgen.engine import torch_compat

WIDE = 1 << 17
"""Elements of a matrix from which packing pays."""
_MIN_PRODUCTS = 16  # with the same matrix, from which packing pays
_libraries: list[Any] = []  # an operation exists as long as its library


def multiplier(weight_IO: Tensor, n_rows: int, times: int) -> Callable[[Tensor], Tensor]:
    """Return a function of ``x_BI`` that returns ``x_BI @ weight_IO``.

    Args:
        weight_IO: must not change as long as the function is used.
        n_rows: B.
        times: how often the function will be called.
    """
    if times < _MIN_PRODUCTS or not can_pack(weight_IO):
        return lambda x_BI: torch.mm(x_BI, weight_IO)
    packed, product = pack(weight_IO.t(), n_rows), torch_compat.linear_pointwise()
    return lambda x_BI: product(x_BI, packed, None, "none", [], "")


def can_pack(weight: Tensor) -> bool:
    """Return whether a matrix can be packed here, and is so wide that it pays."""
    fits = weight.dtype == torch.float32 and weight.device.type == "cpu" and weight.numel() >= WIDE
    return fits and is_available()


def pack(weight_OI: Tensor, n_rows: int) -> Tensor:
    """Return the matrix packed for about so many rows; only ``packed_linear`` can read it."""
    return torch_compat.reorder_linear_weight(weight_OI.detach().contiguous(), n_rows)


def packed_linear(x_BI: Tensor, packed: Tensor, bias_O: Tensor | None) -> Tensor:
    """Return ``x W' + b`` (B, O), of rows that may have further dimensions; without a gradient."""
    return torch_compat.linear_pointwise()(x_BI, packed, bias_O, "none", [], "")  # type: ignore[no-any-return]


def packed_multiplier(packed: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the product with a packed matrix as one operation, which torch's compiler does not look into."""
    product = packed_operation()
    return lambda x_BI: product(x_BI, packed)


@cache
def packed_operation() -> Any:
    """Return the operation, registered at the first call; compiled code that calls it cannot be loaded before.

    Torch's compiler knows the product itself only with matrices that never change.
    """
    library: Any = torch.library.Library("seqgen", "DEF")  # type: ignore[no-untyped-call]
    library.define("packed_linear(Tensor x_BI, Tensor packed) -> Tensor")
    for key in ("CPU", "MkldnnCPU"):
        library.impl("packed_linear", lambda x_BI, packed: packed_linear(x_BI, packed, None), key)
    library.impl("packed_linear", lambda x_BI, packed: x_BI.new_empty(len(x_BI), len(packed)), "Meta")
    _libraries.append(library)
    return torch.ops.seqgen.packed_linear.default


@cache
def register_lowering() -> None:
    """Make torch's compiler write that operation as a call of oneDNN, which needs no Python.

    Where torch has other names for it, compiled code calls the operation.
    """
    torch_compat.lower_to_linear_pointwise(packed_operation())


@cache
def is_available() -> bool:
    """Return whether oneDNN's packed product works here."""
    try:
        x_BI, weight_OI = torch.ones(2, 3), torch.ones(4, 3)
        return torch.equal(packed_linear(x_BI, pack(weight_OI, 2), None), x_BI @ weight_OI.t())
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
