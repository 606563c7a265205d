"""Units that forget at rates of their own: h' = d h + (1 - d) tanh(W x + b + U h), d learned."""

import seqgen
import torch
from torch import Tensor, nn


class DecayCell(seqgen.StepCell):
    """The state is h (B, H)."""

    def __init__(self, input_size: int, hidden_size: int, *, slowest: float = 4.0) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
        self.rate = nn.Parameter(torch.linspace(-slowest, slowest, hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        new_BH = torch.tanh(p_BP + self.recurrent(state))
        h_BH = torch.lerp(new_BH, state, torch.sigmoid(self.rate))
        return h_BH, h_BH
