"""The independently recurrent cell.

    h' = act(W x + u * h + b)

u is a vector: a unit sees only its own past, and the next layer mixes the units.

Source: arXiv:1803.04831. u starts uniform in [0, 1); the paper's bound on |u|, 2^(1/T) for T steps, is not used.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen

_ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


class IndRNNCell(seqgen.StepCell):
    """An IndRNN cell: one recurrent weight per unit.

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
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b, (B, T, H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equation."""
        h_BH = self.activation(torch.addcmul(p_BP, self.u, state))
        return h_BH, h_BH
