"""Long short-term memory.

    i = sigmoid(W_i x + U_i h)     input gate
    f = sigmoid(W_f x + U_f h)     forget gate
    g = tanh(W_g x + U_g h)        candidate
    o = sigmoid(W_o x + U_o h)     output gate
    c' = f * c + i * g
    h' = o * tanh(c')

Biases of W are not written; the order i, f, g, o is that of torch.nn.LSTM.

Source: Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, with the forget gate of Gers et al. 2000,
doi:10.1162/089976600300015015. Its bias starts at 1, as Jozefowicz et al. 2015 (proceedings.mlr.press/v37) advise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class LSTMCell(seqgen.StepCell):
    """Three gates and a memory.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), each (B, H).
        forget_bias: start of the forget gate's bias.
    """

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 4 * hidden_size)
        nn.init.constant_(self.input.bias[hidden_size : 2 * hidden_size], forget_bias)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """H = c = 0."""
        return self.zeros(batch_size), self.zeros(batch_size)

    def forward(self, x_BTI: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Whole sequences go through torch's fused layer, about twice as fast; a single step by the equations."""
        if x_BTI.shape[1] == 1:
            return super().forward(x_BTI, state)
        before = tuple(leaf_BH[None] for leaf_BH in state)
        bias = self.input.bias
        weights = [self.input.weight, self.recurrent.weight, bias, torch.zeros_like(bias)]
        y_BTH, h_1BH, c_1BH = torch.lstm(x_BTI, before, weights, True, 1, 0.0, self.training, False, True)
        # The fused layer's memory is time-major, and a dropout after it would draw its mask in that order.
        return y_BTH.contiguous(), (h_1BH[0], c_1BH[0])

    def project(self, x_BTI: Tensor) -> Tensor:
        """W x, for i, f, g and o."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The equations."""
        h_BH, c_BH = state
        i_BH, f_BH, g_BH, o_BH = (p_BP + self.recurrent(h_BH)).chunk(4, 1)
        c_BH = torch.sigmoid(f_BH) * c_BH + torch.sigmoid(i_BH) * torch.tanh(g_BH)
        h_BH = torch.sigmoid(o_BH) * torch.tanh(c_BH)
        return h_BH, (h_BH, c_BH)
