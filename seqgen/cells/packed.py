"""Many products with one wide matrix on a CPU: laid out once the way oneDNN wants it, they cost a fifth less.

Where torch was built without oneDNN, or has other names for it, they are plain products.

Dimension letters: B rows, I features in, O features out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

WIDE = 1 << 17
"""Numbers of a matrix from which the layout pays."""
_OFTEN = 16  # products with the same matrix from which it pays


def multiplier(weight_IO: Tensor, n_rows: int, times: int) -> Callable[[Tensor], Tensor]:
    """What gives ``x_BI @ weight_IO``.

    Args:
        weight_IO: at rest meanwhile; only float32 on a CPU is laid out.
        n_rows: B.
        times: how often it will be asked.
    """
    plain = weight_IO.dtype != torch.float32 or weight_IO.device.type != "cpu"
    if plain or times < _OFTEN or not _works():
        return lambda x_BI: torch.mm(x_BI, weight_IO)
    packed, linear = torch.ops.mkldnn._reorder_linear_weight(weight_IO.t().contiguous(), n_rows), _linear()
    return lambda x_BI: linear(x_BI, packed, None, "none", [], "")


def _linear() -> Any:
    """The product itself, by the call that costs Python least."""
    overload = torch.ops.mkldnn._linear_pointwise.default
    return getattr(overload, "_op", overload)


@cache
def _works() -> bool:
    """Whether torch can do so here."""
    try:
        x_BI, weight_IO = torch.ones(2, 3), torch.ones(3, 4)
        packed = torch.ops.mkldnn._reorder_linear_weight(weight_IO.t().contiguous(), 2)
        return torch.equal(_linear()(x_BI, packed, None, "none", [], ""), x_BI @ weight_IO)
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
