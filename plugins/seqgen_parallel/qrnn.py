"""The quasi-recurrent network: convolutions over the last k inputs, then pooling by a linear recurrence.

    z, f, o = tanh(W_z * X), sigmoid(W_f * X), sigmoid(W_o * X)      * is a convolution: W^1 x_{t-k+1} + .. + W^k x_t
    f-pooling:    h' = f . h + (1 - f) . z
    fo-pooling:   c' = f . c + (1 - f) . z,   h = o . c'
    ifo-pooling:  c' = f . c + i . z,         h = o . c'             i = sigmoid(W_i * X)

. is the elementwise product. Inputs before the first are 0, and so is the initial state. Biases of W are omitted. (The
reference implementation torchqrnn swaps f and 1 - f and has no ifo-pooling.)

With zoneout, the paper's regularization, f is 1 - m . (1 - f) during training, where each m is 0 with the probability
given and otherwise 1; in evaluation mode m is its mean.

Source: arXiv:1611.01576; zoneout: its section 2.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_parallel.linear_recurrence import scan

_GATES = {"f": 1, "fo": 2, "ifo": 3}


class QRNNCell(seqgen.Cell):
    """A QRNN layer.

    Args:
        input_size: I.
        hidden_size: H; the state is (the last k - 1 inputs (B, k - 1, I), c (B, H)).
        kernel: k.
        pooling: "f", "fo" or "ifo".
        zoneout: probability that a feature of c keeps its value during training.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, kernel: int = 2, pooling: str = "fo", zoneout: float = 0.0
    ) -> None:
        super().__init__(input_size, hidden_size)
        self.kernel, self.pooling, self.zoneout = kernel, pooling, zoneout
        self.held = seqgen.Dropout(1 - zoneout)
        self.input = nn.Linear(kernel * input_size, (1 + _GATES[pooling]) * hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (B, k - 1, I) and (B, H)."""
        return self.input.weight.new_zeros(batch_size, self.kernel - 1, self.input_size), self.zeros(batch_size)

    def forward(self, x_BTI: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute all steps by the module's equations."""
        (before_BKI, c_BH), T = state, x_BTI.shape[1]
        all_TBI = torch.cat((before_BKI.transpose(0, 1), x_BTI.transpose(0, 1)))
        window_TBI = torch.cat([all_TBI[index : index + T] for index in range(self.kernel)], 2)
        # In the state's dtype: bfloat16 is too coarse for sums over time.
        z_TBH, *gates_TBH = self.input(window_TBI).to(c_BH.dtype).chunk(1 + _GATES[self.pooling], 2)
        f_TBH, *others_TBH = torch.sigmoid(torch.cat(gates_TBH, 2)).chunk(len(gates_TBH), 2)
        f_TBH = self._zoned_out(f_TBH) if self.zoneout else f_TBH
        i_TBH = others_TBH.pop() if self.pooling == "ifo" else 1 - f_TBH
        c_TBH = scan(f_TBH, i_TBH * torch.tanh(z_TBH), c_BH)
        h_TBH = others_TBH[0] * c_TBH if others_TBH else c_TBH
        return h_TBH.transpose(0, 1), (all_TBI[T:].transpose(0, 1), c_TBH[-1])

    def _zoned_out(self, f_TBH: Tensor) -> Tensor:
        """Return the forget gate with zoneout."""
        if not self.training:
            return 1 - (1 - self.zoneout) * (1 - f_TBH)
        held_TBH = self.held.mask(f_TBH)
        return f_TBH if held_TBH is None else torch.where(held_TBH != 0, torch.ones_like(f_TBH), f_TBH)
