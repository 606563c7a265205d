import torch
from torch import nn

import seqgen


class Bigram(nn.Module):
    def __init__(self, n_symbols, *, spread: float = 0.1):
        super().__init__()
        self.logits = nn.Embedding(n_symbols, n_symbols)
        nn.init.normal_(self.logits.weight, std=spread)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 0)  # it remembers nothing

    def forward(self, ids_BT, state):
        return self.logits(ids_BT), state


@seqgen.hookimpl
def register_models(register):
    register(
        seqgen.ModelSpec(
            name="bigram",
            summary="the next symbol from the last one",
            source="Shannon 1948",
            load=Bigram,
            recommended={"train": {"lr": 0.05}},
        )
    )
