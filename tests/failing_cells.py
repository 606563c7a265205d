"""A plugin file with a cell that trains, one that fails and one that diverges."""

PLUGIN = """
import torch
import seqgen


class Plain(seqgen.StepCell):
    def __init__(self, input_size, hidden_size, *, boost: float = 1.0):
        super().__init__(input_size, hidden_size)
        self.boost, self.input = boost, torch.nn.Linear(input_size, hidden_size)
    def initial_state(self, batch_size): return self.zeros(batch_size)
    def project(self, x_BTI): return self.input(x_BTI)
    def step(self, p_BP, h_BH):
        h_BH = torch.tanh(self.boost * p_BP + h_BH)
        return h_BH, h_BH


class Broken(Plain):
    def step(self, p_BP, h_BH): raise ValueError("out of [/red] luck")


class Wild(Plain):
    def step(self, p_BP, h_BH): return p_BP * 1e30 * 1e30 if self.training else p_BP, h_BH


@seqgen.hookimpl
def register_cells(register):
    for name, load in (("plain", Plain), ("broken", Broken), ("wild", Wild)):
        register(seqgen.CellSpec(name=name, summary="s", load=load))
"""
