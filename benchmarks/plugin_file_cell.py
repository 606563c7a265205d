"""A user's cell in a plugin file: the update gate RNN (arXiv:1611.09913), at most fifteen lines of equations.

seqgen train --corpus names --plugin benchmarks/plugin_file_cell.py --cell custom-ugrnn-file
"""

import torch

import seqgen


class UGRNN(seqgen.StepCell):
    """c = tanh(W_c x + U_c h + b_c); g = sigmoid(W_g x + U_g h + b_g); h' = g h + (1 - g) c."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = torch.nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 2 * hidden_size)

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, h_BH):
        g_BH, c_BH = (p_BP + self.recurrent(h_BH)).chunk(2, 1)
        h_BH = torch.lerp(torch.tanh(c_BH), h_BH, torch.sigmoid(g_BH))
        return h_BH, h_BH


@seqgen.hookimpl
def register_cells(register):
    """Register the cell."""
    register(seqgen.CellSpec(name="custom-ugrnn-file", summary="one gate", source="arXiv:1611.09913", load=UGRNN))
