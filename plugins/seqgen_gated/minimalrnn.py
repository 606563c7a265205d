"""The minimal RNN.

    z = Phi(x) = tanh(W_x x + b_z)
    u = sigmoid(U_h h + U_z z + b_u)
    h' = u * h + (1 - u) * z

Source: arXiv:1711.06788, with one dense layer for Phi.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class MinimalRNNCell(seqgen.StepCell):
    """A minimal RNN cell: one gate between the state and a function of the input.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.gate = nn.Linear(hidden_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return U_z z + b_u and z, (B, T, 2 H)."""
        z_BTH = torch.tanh(self.input(x_BTI))
        return torch.cat((self.gate(z_BTH), z_BTH), 2)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the last two equations."""
        gate_BH, z_BH = p_BP.chunk(2, 1)
        h_BH = torch.lerp(z_BH, state, torch.sigmoid(gate_BH + self.recurrent(state)))
        return h_BH, h_BH
