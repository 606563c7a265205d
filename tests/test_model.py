from __future__ import annotations

import pytest
import torch
from torch import nn

from seqgen import Cell
from seqgen.model import RecurrentModel, count_parameters, generic_stepper, log_probs, make_stepper
from seqgen.registry import Entry


class Whole(Cell):
    """A cell that is not a step cell: torch's GRU."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def forward(self, x_BTI, state):
        y, h = self.gru(x_BTI, state[None])
        return y, h[0]


@pytest.fixture(params=["vanilla", "gru", "lstm", Whole])
def make_cell(request, plugins):
    if isinstance(request.param, str):
        entry: Entry = plugins.registry.get("cell", request.param)
        return entry.load()
    return request.param


@pytest.mark.parametrize("layers", [1, 3])
def test_table_and_stepper_agree_with_the_plain_form(make_cell, layers):
    torch.manual_seed(0)
    model = RecurrentModel(9, make_cell, hidden=5, layers=layers, embedding=4).double().eval()
    ids = torch.randint(9, (3, 6))
    logits, state = model(ids, model.initial_state(3))
    plain, _ = model.stack(model.embedding(ids), model.stack.initial_state(3))
    assert logits.shape == (3, 6, 9) and torch.allclose(model.head(plain), logits)
    for step in (make_stepper(model), generic_stepper(model)):
        here = model.initial_state(3)
        for t in range(6):
            one, here = step(ids[:, t], here)
            assert torch.allclose(one, logits[:, t])


def test_gradients_reach_the_embedding_through_the_table(make_cell):
    model = RecurrentModel(9, make_cell, hidden=5, embedding=4)
    model(torch.tensor([[2, 3]]), model.initial_state(1))[0].sum().backward()
    gradient = model.embedding.weight.grad
    assert gradient is not None
    assert gradient[[2, 3]].abs().sum() > 0 and gradient[[0, 1, 4, 5]].abs().sum() == 0


def test_parameters_are_counted():
    model = RecurrentModel(9, Whole, hidden=5, embedding=4)
    model.head.bias.requires_grad_(False)
    assert count_parameters(model) == 9 * 4 + 3 * 5 * (4 + 5 + 2) + 5 * 9


def test_forbidden_ids_have_no_probability():
    logs = log_probs(torch.zeros(2, 4), torch.tensor([True, False, True, False]))
    assert logs[:, [1, 3]].isneginf().all() and torch.allclose(logs[:, [0, 2]].exp().sum(-1), torch.ones(2))
