"""Leaky units: h' = (1 - a) h + a tanh(W x + b + U h), with a the leak.

B batch, T steps, I input, H hidden, P projection.
"""

import seqgen
import torch
from torch import Tensor, nn


class LeakyCell(seqgen.StepCell):
    """A leaky recurrent cell: defines one step, which seqgen runs over time.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        leak: share of the new value in the next state, 0 to 1.
    """

    def __init__(self, input_size: int, hidden_size: int, *, leak: float = 0.5) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
        self.leak = leak

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for all steps at once, (B, T, H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output and the next state, both (B, H)."""
        h_BH = torch.lerp(state, torch.tanh(p_BP + self.recurrent(state)), self.leak)
        return h_BH, h_BH
