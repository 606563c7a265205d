"""The time-frequency LSTM: at each step an LSTM reads the input features block by block.

For the blocks k = 1 .. K of the input, m is a block's output and c its cell state, m^t and c^t are those of the same
block at the previous step, and m^f is the previous block's output, 0 for the first:

    i, f, o = sigmoid(W x_k + T m^t + F m^f + w * c^t)     for o: c in place of c^t
    j = tanh(W x_k + T m^t + F m^f)
    c = clip(f * c^t + i * j)
    m = o * tanh(c)

Each of i, f, j, o has its own W, T, F and bias (omitted), shared by all blocks. The peepholes w and clipping c to
[-clip, clip] are options. The output is m of all blocks.

Source: Sainath & Li 2016, doi:10.21437/Interspeech.2016-84, after TensorFlow 1's TimeFreqLSTMCell. That cell declares
state and output sizes for one block and so works with one block only; here they cover all blocks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_structured.blocks import ceil_div, split_blocks


class TimeFreqLSTMCell(seqgen.StepCell):
    """A time-frequency LSTM cell.

    Dimension letters: K blocks, U units per block.

    Args:
        input_size: I.
        hidden_size: H, rounded up to a multiple of ``blocks``; the state is (m, c), each (B, H).
        blocks: K.
        overlap: input features of the next block that a block also sees.
        forget_bias: initial bias of the forget gate.
        peepholes: let the gates see the cell state; the weights start at 0.
        clip: bound on the magnitude of the cell state; None for no bound.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        blocks: int = 4,
        overlap: int = 0,
        forget_bias: float = 1.0,
        peepholes: bool = False,
        clip: float | None = None,
    ) -> None:
        units = ceil_div(hidden_size, blocks)
        super().__init__(input_size, blocks * units)
        self.blocks, self.overlap, self.units = blocks, overlap, units
        self.peepholes, self.clip = peepholes, clip
        self.input = nn.Linear(ceil_div(input_size, blocks) + overlap, 4 * units)
        self.time = seqgen.Recurrent(units, 4 * units)
        self.frequency = seqgen.Recurrent(units, 4 * units)
        nn.init.constant_(self.input.bias[units : 2 * units], forget_bias)
        if peepholes:
            self.peephole_if = nn.Parameter(torch.zeros(2 * units))
            self.peephole_o = nn.Parameter(torch.zeros(units))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (m, c), each (B, H)."""
        return self.zeros(batch_size), self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x for i, f, o and j of each block, (B, T, 4 H)."""
        return self.input(split_blocks(x_BTI, self.blocks, self.overlap)).flatten(2)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step block by block; the terms that depend on the previous step come from one product."""
        (m_BH, c_BH), U = state, self.units
        z_time_BP = p_BP + self.time(m_BH.reshape(-1, U)).view_as(p_BP)
        ms: list[Tensor] = []
        cs: list[Tensor] = []
        for z_BP, c_BU in zip(z_time_BP.split(4 * U, 1), c_BH.split(U, 1), strict=True):
            m_BU, c_BU = self.block(z_BP + self.frequency(ms[-1]) if ms else z_BP, c_BU)
            ms.append(m_BU)
            cs.append(c_BU)
        m_BH = torch.cat(ms, 1)
        return m_BH, (m_BH, torch.cat(cs, 1))

    def block(self, z_BP: Tensor, c_BU: Tensor) -> tuple[Tensor, Tensor]:
        """Return (m, c) of one block, each (B, U), from its pre-activations and cell state."""
        gates_BP, o_BU, j_BU = z_BP.split((2 * self.units, self.units, self.units), 1)
        if self.peepholes:
            gates_BP = torch.addcmul(gates_BP, self.peephole_if, c_BU.repeat(1, 2))
        i_BU, f_BU = torch.sigmoid(gates_BP).chunk(2, 1)
        c_BU = torch.addcmul(f_BU * c_BU, i_BU, torch.tanh(j_BU))
        if self.clip is not None:
            c_BU = torch.clamp(c_BU, -self.clip, self.clip)
        if self.peepholes:
            o_BU = torch.addcmul(o_BU, self.peephole_o, c_BU)
        return torch.sigmoid(o_BU) * torch.tanh(c_BU), c_BU
