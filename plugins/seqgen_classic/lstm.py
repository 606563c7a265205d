"""Long short-term memory.

    i = sigmoid(W_i x + U_i h + w_i * c)     input gate
    f = sigmoid(W_f x + U_f h + w_f * c)     forget gate
    g = tanh(W_g x + U_g h)                  candidate
    c' = clip(f * c + i * g)
    o = sigmoid(W_o x + U_o h + w_o * c')    output gate
    h' = clip_P(P (o * tanh(c')))

Biases of W are omitted; the order i, f, g, o is that of torch.nn.LSTM. The peepholes w, clipping c' to [-clip, clip],
the projection P and clipping its output are options; by default w = 0, nothing is clipped and P is the identity.

Source: Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, with the forget gate of Gers et al. 2000,
doi:10.1162/089976600300015015. Its initial bias is 1, as Jozefowicz et al. 2015 (proceedings.mlr.press/v37) advise.
Peepholes: Gers et al. 2002 (jmlr.org/papers/v3/gers02a); projection (LSTMP, its r is h here): arXiv:1402.1128.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_classic.weights import has_bf16_lstm, layer_weights


class LSTMCell(seqgen.StepCell):
    """An LSTM cell, with optional peepholes, projection and clipping.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), h (B, R) and c (B, H), where R is ``projection``, or H without one.
        forget_bias: initial bias of the forget gate.
        peepholes: let the gates see the cell state; the weights start at 0.
        projection: R, the size of the output; None for H.
        clip: bound on the magnitude of the cell state; None for no bound.
        projection_clip: bound on the magnitude of the projected output; None for no bound.

    Raises:
        BadOption: ``projection_clip`` is given without ``projection``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 1.0,
        peepholes: bool = False,
        projection: int | None = None,
        clip: float | None = None,
        projection_clip: float | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if projection is None and projection_clip is not None:
            raise seqgen.BadOption(f"projection_clip={projection_clip} needs a projection: set projection as well")
        self.output_size = projection or hidden_size
        self.peepholes, self.clip, self.projection_clip = peepholes, clip, projection_clip
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recurrent = seqgen.Recurrent(self.output_size, 4 * hidden_size)
        nn.init.constant_(self.input.bias[hidden_size : 2 * hidden_size], forget_bias)
        if peepholes:
            self.peephole_if = nn.Parameter(torch.zeros(2 * hidden_size))
            self.peephole_o = nn.Parameter(torch.zeros(hidden_size))
        self.projection = seqgen.Recurrent(hidden_size, self.output_size) if projection else None

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (h, c), each (B, H)."""
        c_BH = self.zeros(batch_size)
        return c_BH.new_zeros(batch_size, self.output_size), c_BH

    def fuses(self) -> bool:
        """Return False with peepholes, clipping or a projection, and in bfloat16 where the CPU has no such layer.

        Torch's layer has no peepholes and no clipping, and its projection saves no time.
        """
        plain = not self.peepholes and self.projection is None and self.clip is None
        on_cpu = self.input.weight.device.type == "cpu"
        return plain and not (on_cpu and torch.is_autocast_enabled("cpu") and not has_bf16_lstm())

    def fused(self, x_BTI: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute all steps with torch's fused layer, on a CPU about as fast as the traced step."""
        before = tuple(leaf_BH[None] for leaf_BH in state)
        weights = layer_weights(self.input, self.recurrent)
        x_TBI = x_BTI.transpose(0, 1)
        y_TBH, h_1BH, c_1BH = torch.lstm(x_TBI, before, weights, True, 1, 0.0, self.training, False, False)
        return y_TBH.transpose(0, 1), (h_1BH[0], c_1BH[0])

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x for i, f, g and o, (B, T, 4 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        (h_BR, c_BH), H = state, self.hidden_size
        gates_BP, g_BH, o_BH = (p_BP + self.recurrent(h_BR)).split((2 * H, H, H), 1)
        if self.peepholes:
            gates_BP = torch.addcmul(gates_BP, self.peephole_if, c_BH.repeat(1, 2))
        i_BH, f_BH = torch.sigmoid(gates_BP).chunk(2, 1)
        c_BH = torch.addcmul(f_BH * c_BH, i_BH, torch.tanh(g_BH))
        if self.clip is not None:
            c_BH = torch.clamp(c_BH, -self.clip, self.clip)
        if self.peepholes:
            o_BH = torch.addcmul(o_BH, self.peephole_o, c_BH)
        h_BR = torch.sigmoid(o_BH) * torch.tanh(c_BH)
        if self.projection is not None:
            h_BR = self.projection(h_BR)
        if self.projection_clip is not None:
            h_BR = torch.clamp(h_BR, -self.projection_clip, self.projection_clip)
        return h_BR, (h_BR, c_BH)
