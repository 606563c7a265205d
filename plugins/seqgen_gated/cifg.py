"""The LSTM with coupled input and forget gates.

    f = sigmoid(W_f x + U_f h)     forget gate; the input gate is 1 - f
    o = sigmoid(W_o x + U_o h)     output gate
    z = tanh(W_z x + U_z h)        block input
    c' = f * c + (1 - f) * z
    h' = o * tanh(c')

Biases of W are omitted. Peepholes of f and o, clipping and projection are those of ``lstm_base``; layer norms are
placed as in ``lnlstm``.

Source: arXiv:1503.04069, the variant CIFG (its y is h here). The forget gate's initial bias is 1, as for the LSTM. The
options are those of TensorFlow 1's CoupledInputForgetGateLSTMCell.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.lstm_base import LSTMBase


class CIFGCell(LSTMBase):
    """An LSTM cell with coupled input and forget gates.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), h (B, R) and c (B, H), where R is ``projection``, or H without one.
        forget_bias: initial bias of the forget gate.
        layer_norm: apply layer norms to W x, U h and c'.
        more: peepholes, clip, projection and projection_clip, see ``LSTMBase``.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0, layer_norm: bool = False, **more: Any
    ) -> None:
        super().__init__(input_size, hidden_size, layer_norm=layer_norm, peeping=1, **more)
        self.input = nn.Linear(input_size, 3 * hidden_size, bias=not layer_norm)
        self.recurrent = seqgen.Recurrent(self.output_size, 3 * hidden_size)
        self.input_norm = nn.LayerNorm(3 * hidden_size) if layer_norm else nn.Identity()
        self.recurrent_norm = nn.LayerNorm(3 * hidden_size, bias=False) if layer_norm else nn.Identity()
        bias = self.input_norm.bias if isinstance(self.input_norm, nn.LayerNorm) else self.input.bias
        nn.init.constant_(bias[:hidden_size], forget_bias)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x for f, o and z, (B, T, 3 H)."""
        return self.input_norm(self.input(x_BTI))

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        (h_BR, c_BH), H = state, self.hidden_size
        gates_BP, z_BH = (p_BP + self.recurrent_norm(self.recurrent(h_BR))).split((2 * H, H), 1)
        f_BH, o_BH = self.apply_gates(gates_BP, c_BH)
        c_BH = self.clip_state(torch.lerp(torch.tanh(z_BH), c_BH, f_BH))
        h_BR = self.read_out(o_BH, c_BH)
        return h_BR, (h_BR, c_BH)
