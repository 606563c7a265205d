"""The chaos-free network.

    theta = sigmoid(U_theta h + V_theta x + b_theta)    forget gate
    eta = sigmoid(U_eta h + V_eta x + b_eta)            input gate
    h' = theta * tanh(h) + eta * tanh(W x)

Without input the state decays to 0: it has no dynamics of its own.

Source: arXiv:1612.06212. TensorFlow 1's CFNCell writes 1 - eta for eta and initializes both biases to 1, which is
b_eta = -1 here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class CFNCell(seqgen.StepCell):
    """A chaos-free network cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        gate_bias: initial value of b_theta and of -b_eta.
    """

    def __init__(self, input_size: int, hidden_size: int, *, gate_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.gates = nn.Linear(input_size, 2 * hidden_size)
        self.input = nn.Linear(input_size, hidden_size, bias=False)
        self.recurrent = seqgen.Recurrent(hidden_size, 2 * hidden_size)
        nn.init.constant_(self.gates.bias[:hidden_size], gate_bias)
        nn.init.constant_(self.gates.bias[hidden_size:], -gate_bias)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return V x + b for theta and eta, then tanh(W x), (B, T, 3 H)."""
        return torch.cat((self.gates(x_BTI), torch.tanh(self.input(x_BTI))), 2)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equations."""
        gates_BP, w_BH = p_BP.split((2 * self.hidden_size, self.hidden_size), 1)
        theta_BH, eta_BH = torch.sigmoid(gates_BP + self.recurrent(state)).chunk(2, 1)
        h_BH = torch.addcmul(theta_BH * torch.tanh(state), eta_BH, w_BH)
        return h_BH, h_BH
