"""What a step may do that a list of operations cannot repeat."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class CannotRecord(Exception):
    """The step does something that a list of operations cannot repeat; the message says what."""


class ReplacesBuffer(CannotRecord):
    """The step puts another tensor in the place of a buffer, so that no batch finds the buffers of the one before."""

    def __init__(self) -> None:
        super().__init__("it puts another tensor in the place of a buffer")


class Unseen(TorchFunctionMode):
    """Within it no values of tensors can be taken out of torch, as far as no operation tells of that."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _LOOKS:
            raise CannotRecord(f"it looks at the values of a tensor ({func.__name__})")
        return func(*args, **(kwargs or {}))


_LOOKS = (Tensor.tolist, Tensor.numpy, Tensor.__array__, Tensor.__dlpack__)
