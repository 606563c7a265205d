"""The gated impulse linear recurrent layer.

    g = sigmoid(U x + b_g)
    i = tau(V x + b_z)                     tau: an activation, tanh by default
    h' = g * h + (1 - g) * i

Source: arXiv:1709.04057, the GILR layer (its linear surrogate LSTM is the cell ``gilrlstm``); the state starts at 0.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqgen_parallel.linear_recurrence import LinearRecurrentCell

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu, "linear": nn.Identity()}


class GILRCell(LinearRecurrentCell):
    """A GILR cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        activation: "tanh", "relu" or "linear", for tau.
    """

    def __init__(self, input_size: int, hidden_size: int, *, activation: str = "tanh") -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.activation = _ACTIVATIONS[activation]

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return g and (1 - g) * i, (B, T, 2 H)."""
        gate_BTH, impulse_BTH = self.input(x_BTI).chunk(2, 2)
        g_BTH = torch.sigmoid(gate_BTH)
        return torch.cat((g_BTH, (1 - g_BTH) * self.activation(impulse_BTH)), 2)
