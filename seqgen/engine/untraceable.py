"""Errors for steps that a list of operations cannot repeat, and a guard that finds some of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class Untraceable(Exception):
    """The step does something that a list of operations cannot repeat; the message names it."""


class ReplacesBuffer(Untraceable):
    """The step replaces a buffer by another tensor, so that each batch finds other buffers than the one before."""

    def __init__(self) -> None:
        super().__init__("it replaces a buffer by another tensor")


class ForbidValues(TorchFunctionMode):
    """A mode in which the conversions of tensors to Python values or arrays that dispatch no operation raise."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _CONVERSIONS:
            raise Untraceable(f"it reads the values of a tensor ({func.__name__})")
        return func(*args, **(kwargs or {}))


_CONVERSIONS = (Tensor.tolist, Tensor.numpy, Tensor.__array__, Tensor.__dlpack__)
