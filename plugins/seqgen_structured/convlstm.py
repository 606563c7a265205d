"""The convolutional LSTM: the features of input and state lie at positions along one to three axes.

    i = sigmoid(W_xi * X + W_hi * H + W_ci o C)
    f = sigmoid(W_xf * X + W_hf * H + W_cf o C)
    C' = f o C + i o tanh(W_xc * X + W_hc * H)
    o = sigmoid(W_xo * X + W_ho * H + W_co o C')
    H' = o o tanh(C')

* is a convolution over the positions, zero-padded, and o (between two) is the elementwise product; biases are omitted.
The peepholes W_ci, W_cf and W_co, one weight per element, are an option.

A symbol's features are split among the positions in order, the same number each, zero-padded after the last.

Source: arXiv:1506.04214, after TensorFlow 1's ConvLSTMCell and Conv1DLSTMCell, which have no peepholes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_structured.blocks import ceil_div, split_blocks

_MAX_POSITIONS = 4096


class ConvLSTMCell(seqgen.StepCell):
    """A convolutional LSTM cell.

    Dimension letters: L positions in all, C channels, S input channels, N rows.

    Args:
        input_size: I.
        hidden_size: H, rounded up to a multiple of L; the state is (H, C), each (B, H), position after position.
        dimensions: number of axes, 1 to 3.
        places: positions along each axis; L is their product.
        kernel: positions along each axis that a convolution sees; if even, one more after a position than before it.
        forget_bias: initial bias of the forget gate.
        peepholes: let the gates see the cell state; the weights start at 0.

    Raises:
        BadOption: there are more than 4,096 positions.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        dimensions: int = 1,
        places: int = 4,
        kernel: int = 3,
        forget_bias: float = 1.0,
        peepholes: bool = False,
    ) -> None:
        n_places, seen = places**dimensions, kernel**dimensions
        if n_places > _MAX_POSITIONS:
            raise seqgen.BadOption(
                f"places={places} along {dimensions} axes make {n_places:,} positions: at most {_MAX_POSITIONS:,} are "
                "supported; lower places or dimensions"
            )
        channels = ceil_div(hidden_size, n_places)
        super().__init__(input_size, n_places * channels)
        self.shape, self.n_places, self.channels = (places,) * dimensions, n_places, channels
        self.kernel, self.peepholes = kernel, peepholes
        self.input = nn.Linear(ceil_div(input_size, n_places) * seen, 4 * channels)
        self.recurrent = seqgen.Recurrent(channels * seen, 4 * channels)
        nn.init.constant_(self.input.bias[channels : 2 * channels], forget_bias)
        if peepholes:
            self.peephole_if = nn.Parameter(torch.zeros(n_places, 2 * channels))
            self.peephole_o = nn.Parameter(torch.zeros(n_places, channels))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (H, C), each (B, H)."""
        return self.zeros(batch_size), self.zeros(batch_size)

    def unfold(self, x_NLC: Tensor) -> Tensor:
        """Return the convolution's input patches (N L, C kernel^dimensions), as im2col does."""
        before, after, n_axes = (self.kernel - 1) // 2, self.kernel // 2, len(self.shape)
        x_NLC = functional.pad(x_NLC.unflatten(1, self.shape), (0, 0, *(before, after) * n_axes))
        for axis in range(1, n_axes + 1):
            x_NLC = x_NLC.unfold(axis, self.kernel, 1)
        return x_NLC.flatten(n_axes + 1).flatten(0, n_axes)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W_x * X for i, f, o and C of each position, (B, T, 4 H)."""
        x_NLS = split_blocks(x_BTI, self.n_places, 0).flatten(0, 1)
        return self.input(self.unfold(x_NLS)).view(*x_BTI.shape[:2], -1)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        (h_BH, c_BH), C = state, self.channels
        h_BLC, c_BLC = (leaf_BH.unflatten(1, (self.n_places, C)) for leaf_BH in (h_BH, c_BH))
        z_BLP = (p_BP + self.recurrent(self.unfold(h_BLC)).view_as(p_BP)).unflatten(1, (self.n_places, 4 * C))
        gates_BLP, o_BLC, g_BLC = z_BLP.split((2 * C, C, C), 2)
        if self.peepholes:
            gates_BLP = torch.addcmul(gates_BLP, self.peephole_if, c_BLC.repeat(1, 1, 2))
        i_BLC, f_BLC = torch.sigmoid(gates_BLP).chunk(2, 2)
        c_BLC = torch.addcmul(f_BLC * c_BLC, i_BLC, torch.tanh(g_BLC))
        if self.peepholes:
            o_BLC = torch.addcmul(o_BLC, self.peephole_o, c_BLC)
        h_BH = (torch.sigmoid(o_BLC) * torch.tanh(c_BLC)).flatten(1)
        return h_BH, (h_BH, c_BLC.flatten(1))
