"""The intersection RNN (+RNN): gates between old and new state, and between input and output.

    g_h = sigmoid(W_gh x + U_gh h + b_gh)       gate through time
    g_y = sigmoid(W_gy x + U_gy h + b_gy)       gate through depth
    h' = g_h * h + (1 - g_h) * tanh(W_h x + U_h h + b_h)
    y = g_y * x + (1 - g_y) * act(W_y x + U_y h + b_y)

The output y is as wide as x. If the input does not have as many features as there are units, x stands for W_in times
the input plus a bias, as it usually does in the first layer of a stack.

Source: arXiv:1611.09913, with act = ReLU, after TensorFlow 1's IntersectionRNNCell. It is meant for deep stacks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen

_ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


class IntersectionCell(seqgen.StepCell):
    """An intersection RNN cell; its output y is not its state h.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        gate_bias: initial bias of both gates.
        activation: "relu" or "tanh", for act.
    """

    def __init__(self, input_size: int, hidden_size: int, *, gate_bias: float = 1.0, activation: str = "relu") -> None:
        super().__init__(input_size, hidden_size)
        self.activation = _ACTIVATIONS[activation]
        self.carry = nn.Identity() if input_size == hidden_size else nn.Linear(input_size, hidden_size)
        self.input = nn.Linear(hidden_size, 4 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 4 * hidden_size)
        nn.init.constant_(self.input.bias[: 2 * hidden_size], gate_bias)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for g_h, g_y, h and y, then x, (B, T, 5 H)."""
        x_BTH = self.carry(x_BTI)
        return torch.cat((self.input(x_BTH), x_BTH), 2)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equations."""
        H = self.hidden_size
        p_BP, x_BH = p_BP.split((4 * H, H), 1)
        gates_BP, h_BH, y_BH = (p_BP + self.recurrent(state)).split((2 * H, H, H), 1)
        time_BH, depth_BH = torch.sigmoid(gates_BP).chunk(2, 1)
        y_BH = torch.lerp(self.activation(y_BH), x_BH, depth_BH)
        return y_BH, torch.lerp(torch.tanh(h_BH), state, time_BH)
