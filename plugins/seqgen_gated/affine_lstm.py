"""LSTMs whose gate pre-activations are a map of x plus a map of h plus a bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqgen_gated.lstm_base import LSTMBase


class AffineLSTM(LSTMBase):
    """An LSTM whose pre-activations for f, i, o and g are W(x) + U(h) + b."""

    def set_maps(self, input_map: nn.Module, recurrent_map: nn.Module, forget_bias: float) -> None:
        """Set W and U, each to (B, 4 H), and b, which is ``forget_bias`` for f and 0 elsewhere."""
        self.input, self.recurrent = input_map, recurrent_map
        self.bias = nn.Parameter(torch.zeros(4 * self.hidden_size))
        nn.init.constant_(self.bias[: self.hidden_size], forget_bias)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W(x) + b, (B, T, 4 H)."""
        return self.input(x_BTI) + self.bias

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        h_BR, c_BH = state
        h_BR, c_BH = self.update(p_BP + self.recurrent(h_BR), c_BH)
        return h_BR, (h_BR, c_BH)
