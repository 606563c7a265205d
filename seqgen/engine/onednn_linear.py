"""Many products with one wide matrix on a CPU: laid out once the way oneDNN wants it, they cost a fifth less.

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
"""Numbers of a matrix from which the layout pays."""
_OFTEN = 16  # products with the same matrix from which it pays
_libraries: list[Any] = []  # an operation is there as long as its library


def multiplier(weight_IO: Tensor, n_rows: int, times: int) -> Callable[[Tensor], Tensor]:
    """What gives ``x_BI @ weight_IO``.

    Args:
        weight_IO: at rest meanwhile.
        n_rows: B.
        times: how often it will be asked.
    """
    if times < _OFTEN or not can_pack(weight_IO):
        return lambda x_BI: torch.mm(x_BI, weight_IO)
    packed, product = pack(weight_IO.t(), n_rows), torch_compat.linear_pointwise()
    return lambda x_BI: product(x_BI, packed, None, "none", [], "")


def can_pack(weight: Tensor) -> bool:
    """Whether a matrix can be laid out here, and is so wide that it pays."""
    fits = weight.dtype == torch.float32 and weight.device.type == "cpu" and weight.numel() >= WIDE
    return fits and _works()


def pack(weight_OI: Tensor, n_rows: int) -> Tensor:
    """The matrix laid out for about so many rows; for ``packed_linear`` only."""
    return torch_compat.reorder_linear_weight(weight_OI.detach().contiguous(), n_rows)


def packed_linear(x_BI: Tensor, packed: Tensor, bias_O: Tensor | None) -> Tensor:
    """``x W' + b`` (B, O), of rows that may have further dimensions; without a gradient."""
    return torch_compat.linear_pointwise()(x_BI, packed, bias_O, "none", [], "")  # type: ignore[no-any-return]


def product_with(packed: Tensor) -> Callable[[Tensor], Tensor]:
    """The same as one operation without a bias, which torch's compiler takes as it is."""
    product = packed_operation()
    return lambda x_BI: product(x_BI, packed)


@cache
def packed_operation() -> Any:
    """The operation, made when it is first asked for; compiled code that calls it cannot be loaded before.

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
def _works() -> bool:
    """Whether torch has the layout here, and under these names: they are not promised."""
    try:
        x_BI, weight_OI = torch.ones(2, 3), torch.ones(4, 3)
        return torch.equal(packed_linear(x_BI, pack(weight_OI, 2), None), x_BI @ weight_OI.t())
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
