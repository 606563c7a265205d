import torch
from torch import nn
from torch.nn.functional import cross_entropy

import seqgen


class OwnStep(nn.Module):
    """A table of logits with a loss and an optimizer of its own: label smoothing, and Adagrad."""

    def __init__(self, n_symbols, *, rate: float = 0.5, smoothing: float = 0.05):
        super().__init__()
        self.rate, self.smoothing = rate, smoothing
        self.register_buffer("table_VV", torch.zeros(n_symbols, n_symbols))
        self.register_buffer("squares_VV", torch.zeros(n_symbols, n_symbols))  # the optimizer's, so that it is saved

    def initial_state(self, batch_size):
        return self.table_VV.new_zeros(batch_size, 0)  # it remembers nothing

    def forward(self, ids_BT, state):
        return self.table_VV[ids_BT], state

    def learn(self, ids_BT, targets_BT):
        with torch.enable_grad():
            table_VV = self.table_VV.detach().requires_grad_()
            logits_NV, targets_N = table_VV[ids_BT].flatten(0, 1), targets_BT.flatten()
            loss = cross_entropy(logits_NV, targets_N, ignore_index=0, label_smoothing=self.smoothing)  # 0 is pad
            (gradient_VV,) = torch.autograd.grad(loss, [table_VV])
        self.squares_VV += gradient_VV.square()
        self.table_VV -= self.rate * gradient_VV / (self.squares_VV.sqrt() + 1e-8)


@seqgen.hookimpl
def register_models(register):
    register(seqgen.ModelSpec(name="ownstep", summary="a bigram that learns by itself", source="none", load=OwnStep))
