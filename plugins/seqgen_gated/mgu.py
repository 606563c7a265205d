"""The minimal gated unit: a GRU whose reset and update gates are one.

    f = sigmoid(W_f x + U_f h + b_f)
    h~ = tanh(W_h x + U_h (f * h) + b_h)
    h' = (1 - f) * h + f * h~

Source: arXiv:1603.09420.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class MGUCell(seqgen.StepCell):
    """A minimal gated unit cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.gate = seqgen.Recurrent(hidden_size, hidden_size)
        self.candidate = seqgen.Recurrent(hidden_size, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for f and h~, (B, T, 2 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equations."""
        gate_BH, new_BH = p_BP.chunk(2, 1)
        f_BH = torch.sigmoid(gate_BH + self.gate(state))
        h_BH = torch.lerp(state, torch.tanh(new_BH + self.candidate(f_BH * state)), f_BH)
        return h_BH, h_BH
