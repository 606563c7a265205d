"""Two cells as a user would write them in a plugin file: the update gate RNN, and an LSTM with layer normalization.

    seqgen train --corpus names --plugin benchmarks/custom_cells.py --cell custom-ugrnn

Sources: arXiv:1611.09913; arXiv:1607.06450, supplement.
"""

from __future__ import annotations

import torch
from torch import nn

import seqgen


class UGRNN(seqgen.StepCell):
    """c = tanh(W_c x + U_c h + b_c); g = sigmoid(W_g x + U_g h + b_g); h' = g h + (1 - g) c."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 2 * hidden_size)

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, state):
        c_BH, g_BH = (p_BP + self.recurrent(state)).chunk(2, 1)
        g_BH = torch.sigmoid(g_BH)
        h_BH = g_BH * state + (1 - g_BH) * torch.tanh(c_BH)
        return h_BH, h_BH


class LayerNormLSTM(seqgen.StepCell):
    """f, i, o, g = LN(U h) + LN(W x) + b; c' = s(f) c + s(i) tanh(g); h' = s(o) tanh(LN(c')), with s the sigmoid."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 4 * hidden_size)
        self.norm_x, self.norm_h = nn.LayerNorm(4 * hidden_size), nn.LayerNorm(4 * hidden_size)
        self.norm_c = nn.LayerNorm(hidden_size)

    def initial_state(self, batch_size):
        return self.zeros(batch_size), self.zeros(batch_size)

    def project(self, x_BTI):
        return self.norm_x(self.input(x_BTI))

    def step(self, p_BP, state):
        h_BH, c_BH = state
        f_BH, i_BH, o_BH, g_BH = (p_BP + self.norm_h(self.recurrent(h_BH))).chunk(4, 1)
        c_BH = torch.sigmoid(f_BH) * c_BH + torch.sigmoid(i_BH) * torch.tanh(g_BH)
        h_BH = torch.sigmoid(o_BH) * torch.tanh(self.norm_c(c_BH))
        return h_BH, (h_BH, c_BH)


@seqgen.hookimpl
def register_cells(register):
    """Register both cells."""
    for name, cell in (("custom-ugrnn", UGRNN), ("custom-lnlstm", LayerNormLSTM)):
        register(seqgen.CellSpec(name=name, summary="cell of a benchmark", source="see the module", load=cell))
