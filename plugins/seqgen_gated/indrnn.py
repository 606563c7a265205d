"""The independently recurrent cell.

    h' = act(W x + u * h + b)

u is a vector: a unit sees its own past only, and units meet in the next layer.

Source: arXiv:1803.04831. u starts uniformly in [0, 1); the bound of the paper on |u|, 2^(1/T) for T steps, is not used.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen

_ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


class IndRNNCell(seqgen.StepCell):
    """One weight of recurrence a unit.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        activation: "relu" or "tanh".
    """

    def __init__(self, input_size: int, hidden_size: int, *, activation: str = "relu") -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.u = nn.Parameter(torch.rand(hidden_size))
        self.activation = _ACTIVATIONS[activation]

    def initial_state(self, batch_size: int) -> Tensor:
        """H = 0."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """W x + b."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equation."""
        h_BH = self.activation(torch.addcmul(p_BP, self.u, state))
        return h_BH, h_BH
