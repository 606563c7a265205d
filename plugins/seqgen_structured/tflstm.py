"""The time-frequency LSTM: at each step an LSTM reads the features of the input block by block.

For the blocks k = 1 .. K of the input, m the output and c the memory of a block, m^t and c^t those of the same block
one step before, m^f the output of the block below, 0 for the first:

    i, f, o = sigmoid(W x_k + T m^t + F m^f + w * c^t)     for o: c in place of c^t
    j = tanh(W x_k + T m^t + F m^f)
    c = clip(f * c^t + i * j)
    m = o * tanh(c)

Each of i, f, j, o has its own W, T, F and bias (not written), which are those of all blocks. The peepholes w and the
clipping of c to [-clip, clip] are options. The output is m of all blocks.

Source: Sainath & Li 2016, doi:10.21437/Interspeech.2016-84, after TimeFreqLSTMCell in TensorFlow 1. That one tells the
sizes of a state and an output of one block, and so runs only where there is one; here they are those of all blocks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_structured.blocks import cut, share_evenly


class TimeFreqLSTMCell(seqgen.StepCell):
    """An LSTM over time whose output also goes from block to block.

    Dimension letters: K blocks, U units of a block.

    Args:
        input_size: I.
        hidden_size: H, rounded up to a multiple of the blocks; the state is m and c, each (B, H).
        blocks: K.
        overlap: features of the input that a block sees of the next one.
        forget_bias: start of the forget gate's bias.
        peepholes: whether the gates see the memory; their weights start at 0.
        clip: the largest magnitude of the memory; None for no limit.
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
        units = share_evenly(hidden_size, blocks)
        super().__init__(input_size, blocks * units)
        self.blocks, self.overlap, self.units = blocks, overlap, units
        self.peepholes, self.clip = peepholes, clip
        self.input = nn.Linear(share_evenly(input_size, blocks) + overlap, 4 * units)
        self.time = seqgen.Recurrent(units, 4 * units)
        self.frequency = seqgen.Recurrent(units, 4 * units)
        nn.init.constant_(self.input.bias[units : 2 * units], forget_bias)
        if peepholes:
            self.peephole_if = nn.Parameter(torch.zeros(2 * units))
            self.peephole_o = nn.Parameter(torch.zeros(units))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """M = c = 0."""
        return self.zeros(batch_size), self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """W x, for i, f, o and j of each block."""
        return self.input(cut(x_BTI, self.blocks, self.overlap)).flatten(2)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The equations, block by block; what comes from the step before for all of them at once."""
        (m_BH, c_BH), U = state, self.units
        of_time_BP = p_BP + self.time(m_BH.reshape(-1, U)).view_as(p_BP)
        ms: list[Tensor] = []
        cs: list[Tensor] = []
        for z_BP, c_BU in zip(of_time_BP.split(4 * U, 1), c_BH.split(U, 1), strict=True):
            m_BU, c_BU = self.block(z_BP + self.frequency(ms[-1]) if ms else z_BP, c_BU)
            ms.append(m_BU)
            cs.append(c_BU)
        m_BH = torch.cat(ms, 1)
        return m_BH, (m_BH, torch.cat(cs, 1))

    def block(self, z_BP: Tensor, c_BU: Tensor) -> tuple[Tensor, Tensor]:
        """M and c of a block, from what its gates see and its memory."""
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
