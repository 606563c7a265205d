"""The grid LSTM over time and over blocks of the input features.

For the blocks k = 1 .. K of the input there are two LSTMs, T along time and F along the blocks, each with an output m
and a cell state c: m^T, c^T come from the same block at the previous step, m^F, c^F from the previous block, 0 for the
first. Both see both outputs. For D in (T, F):

    i_D, f_D = sigmoid(W_D x_k + U_D m^T + V_D m^F + w_D * c^T + v_D * c^F)
    j_D = tanh(W_D x_k + U_D m^T + V_D m^F)
    c'_D = clip(f_D * c^D + i_D * j_D)
    o_D = sigmoid(W_D x_k + U_D m^T + V_D m^F + w_D * c'_T + v_D * c'_F)
    m'_D = o_D * tanh(c'_D)

Each of i, f, j, o has its own W, U, V and bias (omitted), shared by all blocks. The peepholes w and v, clipping c to
[-clip, clip], and sharing weights between T and F are options. The output is m' of all blocks, along time and along
the blocks.

Source: arXiv:1507.01526 and Sainath & Li 2016, doi:10.21437/Interspeech.2016-84, after TensorFlow 1's GridLSTMCell,
without its feature ranges with separate weights and its coupled gates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_structured.blocks import ceil_div, split_blocks


class GridLSTMCell(seqgen.StepCell):
    """A grid LSTM cell.

    Dimension letters: K blocks, U units per block and direction, H = 2 K U.

    Args:
        input_size: I.
        hidden_size: H, rounded up to a multiple of 2 ``blocks``; the state is (m^T, c^T), each (B, H / 2).
        blocks: K.
        overlap: input features of the next block that a block also sees.
        forget_bias: initial bias of the forget gates.
        peepholes: let the gates see the cell states; the weights start at 0.
        share: share the weights of T and F.
        clip: bound on the magnitude of the cell states; None for no bound.
        backward: read the blocks from the last to the first.
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
        share: bool = False,
        clip: float | None = None,
        backward: bool = False,
    ) -> None:
        units = ceil_div(hidden_size, 2 * blocks)
        super().__init__(input_size, 2 * blocks * units)
        self.blocks, self.overlap, self.units, self.backward = blocks, overlap, units, backward
        self.peepholes, self.share, self.clip = peepholes, share, clip
        size = units if share else 2 * units  # features per gate; F comes before T
        self.input = nn.Linear(ceil_div(input_size, blocks) + overlap, 4 * size)
        self.time = seqgen.Recurrent(units, 4 * size)
        self.frequency = seqgen.Recurrent(units, 4 * size)
        nn.init.constant_(self.input.bias[size : 2 * size], forget_bias)
        if peepholes:
            self.peephole_if = nn.Parameter(torch.zeros(2, 2 * size))
            self.peephole_o = nn.Parameter(torch.zeros(2, size))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (m^T, c^T), each (B, H / 2)."""
        m_BH = self.zeros(batch_size).new_zeros(batch_size, self.blocks * self.units)
        return m_BH, torch.zeros_like(m_BH)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x for i, f, o and j of each block, (B, T, P)."""
        blocks_BTKS = split_blocks(x_BTI, self.blocks, self.overlap)
        return self.input(blocks_BTKS.flip(2) if self.backward else blocks_BTKS).flatten(2)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step block by block; the terms that depend on the previous step come from one product."""
        (m_BH, c_BH), U = state, self.units
        z_time_BP = p_BP + self.time(m_BH.reshape(-1, U)).view_as(p_BP)
        m_F, c_F = None, torch.zeros_like(c_BH[:, :U])
        outputs, cell_states = [], []
        for z_BP, c_T in zip(z_time_BP.chunk(self.blocks, 1), c_BH.split(U, 1), strict=True):
            z_BP = z_BP if m_F is None else z_BP + self.frequency(m_F)
            m_BD, c_BD = self.block(z_BP, torch.cat((c_F, c_T), 1))
            outputs.append(m_BD)
            m_F, (c_F, c_T) = m_BD[:, :U], c_BD.split(U, 1)
            cell_states.append(c_T)
        y_BH = torch.cat(outputs, 1)
        m_BH = torch.cat([m_BD[:, U:] for m_BD in outputs], 1)
        return y_BH, (m_BH, torch.cat(cell_states, 1))

    def block(self, z_BP: Tensor, c_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Return (m, c) of one block, each F and T concatenated (B, 2 U), from pre-activations and cell states."""
        D = 2 * self.units
        gates_BP, o_BD, j_BD = self.expand_shared(z_BP).split((2 * D, D, D), 1)
        if self.peepholes:
            gates_BP = gates_BP + self.peep(self.peephole_if, c_BD)
        i_BD, f_BD = torch.sigmoid(gates_BP).chunk(2, 1)
        c_BD = torch.addcmul(f_BD * c_BD, i_BD, torch.tanh(j_BD))
        if self.clip is not None:
            c_BD = torch.clamp(c_BD, -self.clip, self.clip)
        if self.peepholes:
            o_BD = o_BD + self.peep(self.peephole_o, c_BD)
        return torch.sigmoid(o_BD) * torch.tanh(c_BD), c_BD

    def peep(self, w_2P: Tensor, c_BD: Tensor) -> Tensor:
        """Return the peepholes' contribution from the cell states of F and T."""
        c_F, c_T = (c_BU.repeat(1, w_2P.shape[1] // self.units) for c_BU in c_BD.chunk(2, 1))
        return self.expand_shared(torch.addcmul(w_2P[0] * c_F, w_2P[1], c_T))

    def expand_shared(self, z_BP: Tensor) -> Tensor:
        """Repeat each gate for F and T if they share weights."""
        return z_BP.unflatten(1, (-1, 1, self.units)).expand(-1, -1, 2, -1).flatten(1) if self.share else z_BP
