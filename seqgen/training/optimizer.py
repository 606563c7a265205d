"""AdamW over named parameters, in one fused call where torch has it.

``torch.optim`` is not used: constructing any of its optimizers imports the compiler, which costs a short run two
seconds.

Source: Adam, arXiv:1412.6980, algorithm 1; decoupled weight decay, arXiv:1711.05101, algorithm 2.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from seqgen.engine.torch_compat import FUSED_ADAMW, for_each
from seqgen.errors import is_out_of_memory

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class _Group:
    """Parameters with the same weight decay, and their moments."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.weights: list[Tensor] = []
        self.means: list[Tensor] = []
        self.squares: list[Tensor] = []
        self.number = torch.zeros(())

    def add(self, parameter: nn.Parameter, mean: Tensor, square: Tensor) -> None:
        self.weights.append(parameter)
        self.means.append(mean)
        self.squares.append(square)
        self.number = self.number.to(parameter.device)

    def with_gradient(self) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """Return weights, gradients, first and second moments of the parameters that have a gradient."""
        grads = [grad for weight in self.weights if (grad := weight.grad) is not None]
        if len(grads) == len(self.weights):
            return self.weights, grads, self.means, self.squares
        have = [weight.grad is not None for weight in self.weights]
        weights, means, squares = (
            list(itertools.compress(column, have)) for column in (self.weights, self.means, self.squares)
        )
        return weights, grads, means, squares


class AdamW:
    """AdamW with beta1 0.9, beta2 0.999, epsilon 1e-8.

    Args:
        parameters: names and parameters; those that need no gradient are skipped.
        weight_decay: decay of matrices per step at learning rate 1; vectors (biases, gains) are not decayed.
        fused: whether to use torch's fused step; None: where it works.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        weight_decay: float,
        *,
        fused: bool | None = None,
    ) -> None:
        self.named = {name: parameter for name, parameter in parameters if parameter.requires_grad}
        self.mean = {name: torch.zeros_like(parameter) for name, parameter in self.named.items()}
        self.square = {name: torch.zeros_like(parameter) for name, parameter in self.named.items()}
        self._groups = {decay: _Group(decay) for decay in (0.0, weight_decay)}
        for name, parameter in self.named.items():
            decay = weight_decay if parameter.ndim > 1 else 0.0
            self._groups[decay].add(parameter, self.mean[name], self.square[name])
        self._fused = FUSED_ADAMW is not None if fused is None else fused

    def step(self, number: int, lr: float, refused: Tensor | None = None) -> None:
        """Take a step along the gradients.

        Args:
            number: number of the step, from 1.
            lr: the learning rate.
            refused: 0-dimensional tensor on the device of the parameters: 1 where the step must change nothing, else 0.
        """
        with torch.no_grad():
            for group in self._groups.values():
                self._step_group(group, number, lr, refused)

    def _step_group(self, group: _Group, number: int, lr: float, refused: Tensor | None) -> None:
        (weights, grads, means, squares), decay = group.with_gradient(), group.decay
        if not grads:
            return
        if self._fused:
            assert FUSED_ADAMW is not None
            try:
                # One counter for all, since the fused step only reads it.
                steps = [group.number.fill_(number)] * len(grads)
                FUSED_ADAMW(
                    weights, grads, means, squares, [], steps,
                    lr=lr, beta1=BETA1, beta2=BETA2, weight_decay=decay, eps=EPSILON, amsgrad=False, maximize=False,
                    found_inf=refused,
                )  # fmt: skip
                return
            except (RuntimeError, TypeError) as error:  # not supported by this torch, device or type
                if is_out_of_memory(error):
                    raise
                self._fused = False
        if refused is not None and refused.item():
            return
        for_each("mul_", weights, 1 - lr * decay)
        for_each("lerp_", means, grads, 1 - BETA1)
        for_each("mul_", squares, BETA2)
        for_each("addcmul_", squares, grads, grads, 1 - BETA2)
        roots = for_each("sqrt", squares)
        for_each("div_", roots, math.sqrt(1 - BETA2**number))
        for_each("add_", roots, EPSILON)
        for_each("addcdiv_", weights, means, roots, -lr / (1 - BETA1**number))

    def state(self) -> dict[str, Tensor]:
        """Return both moments by name of the parameter."""
        means = {f"mean.{name}": tensor for name, tensor in self.mean.items()}
        return means | {f"square.{name}": tensor for name, tensor in self.square.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore the result of ``state``.

        Raises:
            KeyError: a tensor is missing.
            RuntimeError: a tensor differs in shape from its parameter.
        """
        for name, tensor in self.state().items():
            if state[name].shape != tensor.shape:
                raise RuntimeError(f"{name!r} has shape {list(state[name].shape)}, its parameter {list(tensor.shape)}")
            tensor.copy_(state[name])
