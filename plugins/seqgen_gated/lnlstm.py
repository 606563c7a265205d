"""The LSTM with layer normalization and recurrent dropout.

    f, i, o, g = LN(W_h h) + LN(W_x x) + b
    c' = sigmoid(f) * c + sigmoid(i) * d(tanh(g))
    h' = sigmoid(o) * tanh(LN(c'))

LN normalizes its argument by mean and standard deviation and applies a gain, alpha, and a bias, beta; the first two
norms take one mean and one deviation over all four blocks. Of the three biases in the first line one is kept, the beta
of LN(W_x x). During training d drops a fraction of the candidate and scales up the rest, with a new mask at each step.
Peepholes, clipping and projection are those of ``lstm_base``.

Source: arXiv:1607.06450, supplement, the LSTM with its alpha and beta; recurrent dropout: arXiv:1603.05118. TensorFlow
1's cells differ: each gate has its own norm over W_x x + W_h h, and the cell state that is kept is LN(c').
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.lstm_base import LSTMBase


class LNLSTMCell(LSTMBase):
    """An LSTM cell with layer normalization and recurrent dropout.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), h (B, R) and c (B, H), where R is ``projection``, or H without one.
        forget_bias: initial bias of the forget gate.
        layer_norm: use the layer norms; without them this is an LSTM.
        recurrent_dropout: fraction of the candidate that is dropped during training.
        more: peepholes, clip, projection and projection_clip, see ``LSTMBase``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 1.0,
        layer_norm: bool = True,
        recurrent_dropout: float = 0.0,
        **more: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, layer_norm=layer_norm, **more)
        self.dropout = seqgen.Dropout(recurrent_dropout)
        self.input = nn.Linear(input_size, 4 * hidden_size, bias=not layer_norm)
        self.recurrent = seqgen.Recurrent(self.output_size, 4 * hidden_size)
        self.input_norm = nn.LayerNorm(4 * hidden_size) if layer_norm else nn.Identity()
        self.recurrent_norm = nn.LayerNorm(4 * hidden_size, bias=False) if layer_norm else nn.Identity()
        bias = self.input_norm.bias if isinstance(self.input_norm, nn.LayerNorm) else self.input.bias
        nn.init.constant_(bias[:hidden_size], forget_bias)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return LN(W_x x) + b for f, i, o and g, (B, T, 4 H)."""
        return self.input_norm(self.input(x_BTI))

    def noise(self, p_BTP: Tensor) -> Tensor:
        """Append the dropout masks of d, (B, T, 5 H); without dropout return the argument."""
        if not (self.training and self.dropout.share):
            return p_BTP
        ones_BTH = p_BTP.new_ones(*p_BTP.shape[:2], self.hidden_size)
        return torch.cat((p_BTP, self.dropout(ones_BTH)), 2)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        (h_BR, c_BH), H = state, self.hidden_size
        p_BP, mask_BH = p_BP.split((4 * H, H), 1) if p_BP.shape[1] > 4 * H else (p_BP, None)
        h_BR, c_BH = self.update(p_BP + self.recurrent_norm(self.recurrent(h_BR)), c_BH, mask_BH)
        return h_BR, (h_BR, c_BH)
