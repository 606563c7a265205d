"""The vanilla recurrent cell.

    h' = act(W [x, h] + b)

W is stored as its two halves, W_x (with b) for the input and W_h for the state.

Source: Elman 1990, Finding structure in time, doi:10.1207/s15516709cog1402_1; with ReLU as in arXiv:1504.00941,
whose identity initialization is not used.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_classic.weights import layer_weights

_ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


class VanillaCell(seqgen.StepCell):
    """A vanilla RNN cell: one dense layer over input and state.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        activation: "relu" or "tanh".
    """

    def __init__(self, input_size: int, hidden_size: int, *, activation: str = "relu") -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
        self.activation = _ACTIVATIONS[activation]

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def fuses(self) -> bool:
        """Return True on a GPU; on a CPU torch's layer is slower than single steps."""
        return self.input.weight.is_cuda

    def fused(self, x_BTI: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute all steps with torch's fused layer."""
        weights = layer_weights(self.input, self.recurrent)
        layer = torch.rnn_relu if self.activation is torch.relu else torch.rnn_tanh
        y_TBH, h_1BH = layer(x_BTI.transpose(0, 1), state[None], weights, True, 1, 0.0, self.training, False, False)
        return y_TBH.transpose(0, 1), h_1BH[0]

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W_x x + b, (B, T, H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equation."""
        h_BH = self.activation(p_BP + self.recurrent(state))
        return h_BH, h_BH
