"""What the relatives of the LSTM share: what follows once the sums of their gates are there.

With s_f, s_i, s_o and s_g, which each cell makes in its own way from x and h:

    f = sigmoid(s_f + w_f * c)    forget gate
    i = sigmoid(s_i + w_i * c)    input gate
    c' = clip(f * c + i * tanh(s_g))
    o = sigmoid(s_o + w_o * c')   output gate
    h' = clip_P(P (o * tanh(N(c'))))

The peepholes w, the clipping of c' to [-clip, clip], the projection P, the clipping of what it gives and the layer norm
N are options; by default w = 0, nothing is clipped, and P and N are the identity. Peepholes and clipping see the memory
as it is kept, before N.

Source: those of ``lstm``; the names of the options are those of LSTMCell in TensorFlow 1, shortened.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import seqgen


class MemoryCell(seqgen.StepCell):
    """An LSTM without its gates; the state is h (B, R) and c (B, H).

    Args:
        input_size: I.
        hidden_size: H.
        peepholes: whether the gates see the memory; their weights start at 0.
        clip: the largest magnitude of the memory; None for no limit.
        projection: R, the size of the output; None for H.
        projection_clip: the largest magnitude of the projected output; None for no limit.
        layer_norm: whether N is a layer norm.
        linear: makes the linear map P of its two sizes.
        peeping: the gates, of H features each, that see the memory before the step.

    Raises:
        BadOption: what is not projected is to be clipped.
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
            raise seqgen.BadOption(f"projection_clip={projection_clip} clips a projection: give projection as well")
        self.output_size = projection or hidden_size
        self.clip, self.projection_clip = clip, projection_clip
        self.peephole_before = nn.Parameter(torch.zeros(peeping * hidden_size)) if peepholes else None
        self.peephole_after = nn.Parameter(torch.zeros(hidden_size)) if peepholes else None
        self.projection = linear(hidden_size, projection) if projection else None
        self.memory_norm = nn.LayerNorm(hidden_size) if layer_norm else None

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """H = c = 0."""
        c_BH = self.zeros(batch_size)
        return c_BH.new_zeros(batch_size, self.output_size), c_BH

    def remember(self, s_BP: Tensor, c_BH: Tensor, mask_BH: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The new output and memory.

        Args:
            s_BP: the sums for f, i, o and g.
            c_BH: the memory.
            mask_BH: what tanh(s_g) is multiplied with.
        """
        gates_BP, g_BH = s_BP.split((3 * self.hidden_size, self.hidden_size), 1)
        f_BH, i_BH, o_BH = self.open(gates_BP, c_BH)
        g_BH = torch.tanh(g_BH) if mask_BH is None else torch.tanh(g_BH) * mask_BH
        c_BH = self.limit(torch.addcmul(f_BH * c_BH, i_BH, g_BH))
        return self.recall(o_BH, c_BH), c_BH

    def open(self, gates_BP: Tensor, c_BH: Tensor) -> tuple[Tensor, ...]:
        """The gates, of their sums; the last one, the output gate, is a sum still if it is to see the new memory."""
        n_before = gates_BP.shape[1] // self.hidden_size - 1
        if self.peephole_before is None:
            return torch.sigmoid(gates_BP).chunk(n_before + 1, 1)
        before_BP, o_BH = gates_BP.split((n_before * self.hidden_size, self.hidden_size), 1)
        before_BP = torch.sigmoid(torch.addcmul(before_BP, self.peephole_before, c_BH.repeat(1, n_before)))
        return *before_BP.chunk(n_before, 1), o_BH

    def limit(self, c_BH: Tensor) -> Tensor:
        """The memory, clipped."""
        return c_BH if self.clip is None else torch.clamp(c_BH, -self.clip, self.clip)

    def recall(self, o_BH: Tensor, c_BH: Tensor) -> Tensor:
        """The output (B, R), of what ``open`` says of the output gate and of the new memory."""
        if self.peephole_after is not None:
            o_BH = torch.sigmoid(torch.addcmul(o_BH, self.peephole_after, c_BH))
        h_BR = o_BH * torch.tanh(c_BH if self.memory_norm is None else self.memory_norm(c_BH))
        if self.projection is not None:
            h_BR = self.projection(h_BR)
        return h_BR if self.projection_clip is None else torch.clamp(h_BR, -self.projection_clip, self.projection_clip)
