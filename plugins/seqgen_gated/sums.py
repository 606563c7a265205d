"""What LSTMs share whose sums are those of two maps and a bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqgen_gated.memory import MemoryCell


class SumsCell(MemoryCell):
    """A MemoryCell whose sums for f, i, o and g are those of two maps and a bias: W(x) + U(h) + b."""

    def sum_of(self, input_map: nn.Module, recurrent_map: nn.Module, forget_bias: float) -> None:
        """Take the maps, each to (B, 4 H), and start b at 0, that of f at ``forget_bias``."""
        self.input, self.recurrent = input_map, recurrent_map
        self.bias = nn.Parameter(torch.zeros(4 * self.hidden_size))
        nn.init.constant_(self.bias[: self.hidden_size], forget_bias)

    def project(self, x_BTI: Tensor) -> Tensor:
        """W(x) + b."""
        return self.input(x_BTI) + self.bias

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The equations."""
        h_BR, c_BH = state
        h_BR, c_BH = self.remember(p_BP + self.recurrent(h_BR), c_BH)
        return h_BR, (h_BR, c_BH)
