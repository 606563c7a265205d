"""Leaky units: h' = (1 - a) h + a tanh(W x + b + U h), with a the leak.

B batch, T steps, I input, H hidden, P projection.
"""

import seqgen
import torch
from torch import Tensor, nn


class LeakyCell(seqgen.StepCell):
    """The equations of one step; seqgen runs them over time.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        leak: share of the state that is new at each step.
    """

    def __init__(self, input_size: int, hidden_size: int, *, leak: float = 0.5) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
        self.leak = leak

    def initial_state(self, batch_size: int) -> Tensor:
        """Zeros."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """W x + b, of all steps at once."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equations: the output and the next state."""
        h_BH = torch.lerp(state, torch.tanh(p_BP + self.recurrent(state)), self.leak)
        return h_BH, h_BH
