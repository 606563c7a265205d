"""What autograd is given and asked for: gradients of tensors that are no numbers, tensors it knows, one derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqgen.engine import torch_compat


class Given(torch.autograd.Function):
    """A number of which some tensors have given gradients.

    Given to autograd itself, these would make torch import what it needs for symbolic shapes: half a second.
    """

    @staticmethod
    def forward(ctx: Any, gradients: list[Tensor], *outputs: Tensor) -> Tensor:
        """Zero; what it is does not matter."""
        ctx.gradients = gradients
        return outputs[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, ...]:
        """The given gradients."""
        return None, *ctx.gradients


def refuse_twice() -> None:
    """Called first in a backward that autograd cannot look into.

    Raises:
        RuntimeError: its result is to be differentiated again, which would leave out what it depends on.
    """
    if torch.is_grad_enabled():
        raise RuntimeError("the steps of a cell cannot be differentiated twice, unless their engine is 'eager'")


def as_usual(tensor: Tensor) -> Tensor:
    """A tensor apart from its graph, copied if it was made in inference mode; called outside of that."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def backward_from(y: Tensor, dy: Tensor) -> None:
    """What ``y.backward(dy)`` does, also where no gradients are asked for."""
    engine = torch_compat.EXECUTION_ENGINE  # which ``Tensor.backward`` calls after imports that take long
    if engine is not None:
        engine.run_backward((y,), (dy,), False, False, (), allow_unreachable=True, accumulate_grad=True)
        return
    with torch.enable_grad():
        total = Given.apply([dy], y)  # type: ignore[no-untyped-call]
    total.backward()
