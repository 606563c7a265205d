"""The independently recurrent GRU.

    r = sigmoid(W_r x + u_r * h + b_r)       reset gate
    z = sigmoid(W_z x + u_z * h + b_z)       update gate
    n = tanh(W_n x + u_n * r * h + b_n)      candidate
    h' = z * h + (1 - z) * n

The u are vectors: a unit sees only its own past, and the next layer mixes the units.

Source: the GRU of arXiv:1406.1078 with the recurrence of arXiv:1803.04831, after TensorFlow 1's IndyGRUCell: u starts
uniform in [-1, 1], b_r and b_z start at 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class IndyGRUCell(seqgen.StepCell):
    """An independently recurrent GRU cell: one recurrent weight per gate and unit.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        gate_bias: initial bias of both gates.
    """

    def __init__(self, input_size: int, hidden_size: int, *, gate_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 3 * hidden_size)
        self.u_gates = nn.Parameter(torch.empty(2 * hidden_size).uniform_(-1, 1))
        self.u = nn.Parameter(torch.empty(hidden_size).uniform_(-1, 1))
        nn.init.constant_(self.input.bias[: 2 * hidden_size], gate_bias)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for r, z and n, (B, T, 3 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equations."""
        gates_BP, n_BH = p_BP.split((2 * self.hidden_size, self.hidden_size), 1)
        gates_BP = torch.sigmoid(torch.addcmul(gates_BP, self.u_gates, state.repeat(1, 2)))
        r_BH, z_BH = gates_BP.chunk(2, 1)
        n_BH = torch.tanh(torch.addcmul(n_BH, self.u, r_BH * state))
        h_BH = torch.lerp(n_BH, state, z_BH)
        return h_BH, h_BH
