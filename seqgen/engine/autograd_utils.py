"""Helpers for autograd: injected gradients, tensors without a graph, a backward that allows one derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqgen.engine import torch_compat


class InjectGradients(torch.autograd.Function):
    """A scalar whose derivative by each of some tensors is a given gradient.

    Passed to autograd itself, gradients make torch import its symbolic shapes, which takes half a second.
    """

    @staticmethod
    def forward(ctx: Any, gradients: list[Tensor], *outputs: Tensor) -> Tensor:
        """Return zero; only the derivative matters."""
        ctx.gradients = gradients
        return outputs[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, ...]:
        """Return the given gradients."""
        return None, *ctx.gradients


def refuse_double_backward() -> None:
    """Refuse to be differentiated again; called first in a backward whose operations autograd does not see.

    Raises:
        RuntimeError: a second derivative is asked for; it would leave out what the result depends on.
    """
    if torch.is_grad_enabled():
        raise RuntimeError("the steps of a cell cannot be differentiated twice, unless their engine is 'eager'")


def as_normal_tensor(tensor: Tensor) -> Tensor:
    """Return a tensor without its graph, copied if it is an inference tensor; call it outside of inference mode."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def backward_from(y: Tensor, dy: Tensor) -> None:
    """Do what ``y.backward(dy)`` does, with gradients enabled or not."""
    engine = torch_compat.EXECUTION_ENGINE  # which ``Tensor.backward`` calls after imports that take long
    if engine is not None:
        engine.run_backward((y,), (dy,), False, False, (), allow_unreachable=True, accumulate_grad=True)
        return
    with torch.enable_grad():
        total = InjectGradients.apply([dy], y)  # type: ignore[no-untyped-call]
    total.backward()
