"""Faster forms of the operations that dominate sampling from wide models, for any cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from seqgen.engine.onednn_linear import can_pack, pack, packed_linear

_TANH = (torch.tanh, Tensor.tanh)
_ROWS = 512  # rows that wide matrices are packed for


class FastOps(TorchFunctionMode):
    """A mode in which a CPU computes wide linear maps by oneDNN and tanh by ``2 sigmoid(2 x) - 1``, without gradients.

    Torch's sigmoid takes a fifth of the time of its tanh. All other calls of torch cost about a microsecond more.
    Weights must not change while the mode is active.
    """

    def __init__(self) -> None:
        super().__init__()
        self._packed: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or its faster form."""
        if func in _TANH and not kwargs and args[0].device.type == "cpu":
            sigmoid = torch.add(args[0], args[0]).sigmoid_()
            return torch.add(sigmoid.new_tensor(-1.0), sigmoid, alpha=2)
        if func is functional.linear and not kwargs and len(args) == 3 and can_pack(args[1]):
            x_BI, weight_OI, bias_O = args
            if id(weight_OI) not in self._packed:  # the weight is kept alive, so that no other gets its id
                self._packed[id(weight_OI)] = weight_OI, pack(weight_OI, _ROWS)
            return packed_linear(x_BI, self._packed[id(weight_OI)][1], bias_O)
        return func(*args, **(kwargs or {}))
