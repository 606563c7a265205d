"""The LSTM with layer normalisation and recurrent dropout.

    f, i, o, g = LN(W_h h) + LN(W_x x) + b
    c' = sigmoid(f) * c + sigmoid(i) * d(tanh(g))
    h' = sigmoid(o) * tanh(LN(c'))

LN takes the mean off all features of its argument, divides by their standard deviation, and applies a gain, alpha, and
a bias, beta; the first two take one mean and one deviation over all four blocks. Of the three biases in the first line
one is kept, the beta of LN(W_x x). While training, d sets a share of the candidate to 0 and scales the rest up, with a
mask of its own at each step.

Source: arXiv:1607.06450, supplement, the LSTM with its alpha and beta; recurrent dropout: arXiv:1603.05118.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen


class LNLSTMCell(seqgen.StepCell):
    """Three gates and a memory, normalised.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), each (B, H).
        forget_bias: start of the forget gate's bias.
        recurrent_dropout: share of the candidate that is dropped while training.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0, recurrent_dropout: float = 0.0
    ) -> None:
        super().__init__(input_size, hidden_size)
        self.recurrent_dropout = recurrent_dropout
        self.input = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.recurrent = seqgen.Recurrent(hidden_size, 4 * hidden_size)
        self.input_norm = nn.LayerNorm(4 * hidden_size)
        self.recurrent_norm = nn.LayerNorm(4 * hidden_size, bias=False)
        self.memory_norm = nn.LayerNorm(hidden_size)
        nn.init.constant_(self.input_norm.bias[:hidden_size], forget_bias)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """H = c = 0."""
        return self.zeros(batch_size), self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """LN(W_x x) + b, for f, i, o and g."""
        return self.input_norm(self.input(x_BTI))

    def noise(self, p_BTP: Tensor) -> Tensor:
        """The masks of d, H features more; nothing without dropout."""
        if not (self.training and self.recurrent_dropout):
            return p_BTP
        ones_BTH = p_BTP.new_ones(*p_BTP.shape[:2], self.hidden_size)
        return torch.cat((p_BTP, functional.dropout(ones_BTH, self.recurrent_dropout)), 2)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The equations."""
        (h_BH, c_BH), H = state, self.hidden_size
        p_BP, mask_BH = p_BP.split((4 * H, H), 1) if p_BP.shape[1] > 4 * H else (p_BP, None)
        gates_BP, g_BH = (p_BP + self.recurrent_norm(self.recurrent(h_BH))).split((3 * H, H), 1)
        f_BH, i_BH, o_BH = torch.sigmoid(gates_BP).chunk(3, 1)
        g_BH = torch.tanh(g_BH) if mask_BH is None else torch.tanh(g_BH) * mask_BH
        c_BH = torch.addcmul(f_BH * c_BH, i_BH, g_BH)
        h_BH = o_BH * torch.tanh(self.memory_norm(c_BH))
        return h_BH, (h_BH, c_BH)
