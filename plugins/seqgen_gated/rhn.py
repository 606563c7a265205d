"""The recurrent highway network: several highway layers per step.

    s_0 = h
    h_l = tanh(W_h x [l = 1] + R_h,l s_(l-1) + b_h,l)         for l from 1 to L
    t_l = sigmoid(W_t x [l = 1] + R_t,l s_(l-1) + b_t,l)
    s_l = h_l * t_l + s_(l-1) * (1 - t_l)
    h' = s_L

Source: arXiv:1607.03474, with the carry gate coupled, c = 1 - t, after the authors' implementation
(jzilly/RecurrentHighwayNetworks). The gates' biases start below 0, so that a layer changes little at first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class RHNCell(seqgen.StepCell):
    """A recurrent highway network cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        depth: L, from 1.
        gate_bias: initial b_t.
    """

    def __init__(self, input_size: int, hidden_size: int, *, depth: int = 3, gate_bias: float = -1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.layers = nn.ModuleList(
            seqgen.Recurrent(hidden_size, 2 * hidden_size, bias=layer > 0) for layer in range(depth)
        )
        for biased in (self.input, *self.layers[1:]):
            nn.init.constant_(biased.bias[hidden_size:], gate_bias)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for h and t of the first layer, (B, T, 2 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equations."""
        s_BH = state
        for index, layer in enumerate(self.layers):
            h_BH, t_BH = (layer(s_BH) if index else p_BP + layer(s_BH)).chunk(2, 1)
            s_BH = torch.lerp(s_BH, torch.tanh(h_BH), torch.sigmoid(t_BH))
        return s_BH, s_BH
