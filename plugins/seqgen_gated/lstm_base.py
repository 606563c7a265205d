"""The base of the LSTM variants: the step after the gates' pre-activations.

With the pre-activations s_f, s_i, s_o and s_g, which each cell computes from x and h in its own way:

    f = sigmoid(s_f + w_f * c)    forget gate
    i = sigmoid(s_i + w_i * c)    input gate
    c' = clip(f * c + i * tanh(s_g))
    o = sigmoid(s_o + w_o * c')   output gate
    h' = clip_P(P (o * tanh(N(c'))))

The peepholes w, clipping c' to [-clip, clip], the projection P, clipping its output and the layer norm N are options;
by default w = 0, nothing is clipped, and P and N are the identity. Peepholes and clipping see the cell state before N.

Source: as for ``lstm``; the options have the names of TensorFlow 1's LSTMCell, shortened.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import seqgen


class LSTMBase(seqgen.StepCell):
    """An LSTM without its maps of x and h; the state is (h, c), h (B, R) and c (B, H).

    Args:
        input_size: I.
        hidden_size: H.
        peepholes: let the gates see the cell state; the weights start at 0.
        clip: bound on the magnitude of the cell state; None for no bound.
        projection: R, the size of the output; None for H.
        projection_clip: bound on the magnitude of the projected output; None for no bound.
        layer_norm: make N a layer norm.
        linear: factory of the linear map P, called with (in, out).
        peeping: number of gates with a peephole to the cell state before the step.

    Raises:
        BadOption: ``projection_clip`` is given without ``projection``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        peepholes: bool = False,
        clip: float | None = None,
        projection: int | None = None,
        projection_clip: float | None = None,
        layer_norm: bool = False,
        linear: Callable[[int, int], nn.Module] = seqgen.Recurrent,
        peeping: int = 2,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if projection is None and projection_clip is not None:
            raise seqgen.BadOption(f"projection_clip={projection_clip} needs a projection: set projection as well")
        self.output_size = projection or hidden_size
        self.clip, self.projection_clip = clip, projection_clip
        self.peephole_before = nn.Parameter(torch.zeros(peeping * hidden_size)) if peepholes else None
        self.peephole_after = nn.Parameter(torch.zeros(hidden_size)) if peepholes else None
        self.projection = linear(hidden_size, projection) if projection else None
        self.memory_norm = nn.LayerNorm(hidden_size) if layer_norm else None

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (h, c), h (B, R) and c (B, H)."""
        c_BH = self.zeros(batch_size)
        return c_BH.new_zeros(batch_size, self.output_size), c_BH

    def update(self, s_BP: Tensor, c_BH: Tensor, mask_BH: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the new output (B, R) and cell state (B, H).

        Args:
            s_BP: pre-activations for f, i, o and g, (B, 4 H).
            c_BH: the cell state.
            mask_BH: multiplied with tanh(s_g); None: all ones.
        """
        gates_BP, g_BH = s_BP.split((3 * self.hidden_size, self.hidden_size), 1)
        f_BH, i_BH, o_BH = self.apply_gates(gates_BP, c_BH)
        g_BH = torch.tanh(g_BH) if mask_BH is None else torch.tanh(g_BH) * mask_BH
        c_BH = self.clip_state(torch.addcmul(f_BH * c_BH, i_BH, g_BH))
        return self.read_out(o_BH, c_BH), c_BH

    def apply_gates(self, gates_BP: Tensor, c_BH: Tensor) -> tuple[Tensor, ...]:
        """Return the gates; with peepholes the last one, the output gate, stays a pre-activation until c' is known."""
        n_before = gates_BP.shape[1] // self.hidden_size - 1
        if self.peephole_before is None:
            return torch.sigmoid(gates_BP).chunk(n_before + 1, 1)
        before_BP, o_BH = gates_BP.split((n_before * self.hidden_size, self.hidden_size), 1)
        before_BP = torch.sigmoid(torch.addcmul(before_BP, self.peephole_before, c_BH.repeat(1, n_before)))
        return *before_BP.chunk(n_before, 1), o_BH

    def clip_state(self, c_BH: Tensor) -> Tensor:
        """Return the clipped cell state."""
        return c_BH if self.clip is None else torch.clamp(c_BH, -self.clip, self.clip)

    def read_out(self, o_BH: Tensor, c_BH: Tensor) -> Tensor:
        """Return the output (B, R) from the output gate as ``apply_gates`` returns it and the new cell state."""
        if self.peephole_after is not None:
            o_BH = torch.sigmoid(torch.addcmul(o_BH, self.peephole_after, c_BH))
        h_BR = o_BH * torch.tanh(c_BH if self.memory_norm is None else self.memory_norm(c_BH))
        if self.projection is not None:
            h_BR = self.projection(h_BR)
        return h_BR if self.projection_clip is None else torch.clamp(h_BR, -self.projection_clip, self.projection_clip)
