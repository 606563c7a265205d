import torch
from torch import nn

import seqgen


class OneGateCell(seqgen.StepCell):
    """One gate: g = sigmoid(...), c = tanh(...), h' = g h + (1 - g) c (arXiv:1611.09913)."""

    def __init__(self, input_size, hidden_size, *, gate_bias: float = 1.0):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 2 * hidden_size)
        self.gate_bias = gate_bias

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, h_BH):
        g_BH, c_BH = (p_BP + self.recurrent(h_BH)).chunk(2, 1)
        h_BH = torch.lerp(torch.tanh(c_BH), h_BH, torch.sigmoid(g_BH + self.gate_bias))
        return h_BH, h_BH


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="onegate", summary="one gate", source="arXiv:1611.09913", load="mycell:OneGateCell"))
