"""The default model: training, sampling, tied weights, and logits at some positions."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

import seqgen
from seqgen import Cell
from seqgen.model import RecurrentModel, count_parameters, generic_stepper, log_probs, make_stepper
from seqgen.registry import Entry
from test_training import Stopper, digests


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


# -- weights that head and embedding share


def tied(hidden=5, embedding=4):
    return RecurrentModel(9, Whole, hidden=hidden, embedding=embedding, tie=True)


@pytest.mark.parametrize(("hidden", "bridged"), [(4, 0), (5, 4 * 5)])
def test_a_tied_weight_is_one_tensor_and_counted_once(hidden, bridged):
    model = tied(hidden)
    assert model.head.weight is model.embedding.weight
    assert count_parameters(model) == 9 * 4 + 3 * hidden * (4 + hidden + 2) + bridged + 9
    assert sum(parameter is model.head.weight for parameter in model.parameters()) == 1
    assert isinstance(model.bridge, nn.Linear) == bool(bridged)


def test_a_tied_model_is_its_equations_and_learns_from_both_ends():
    torch.manual_seed(0)
    model = tied().double()
    ids = torch.tensor([[2, 3, 2]])
    logits, _ = model(ids, model.initial_state(1))
    hidden, _ = model.stack(functional.embedding(ids, model.head.weight), model.stack.initial_state(1))
    expected = hidden @ model.bridge.weight.T @ model.embedding.weight.T + model.head.bias
    assert torch.allclose(logits, expected)
    logits.square().sum().backward()
    assert (model.embedding.weight.grad.abs().sum(1) > 0).all(), "the head reaches every row"
    (gradient,) = torch.autograd.grad(expected.square().sum(), model.embedding.weight)
    assert torch.allclose(model.embedding.weight.grad, gradient)


@pytest.mark.full
@pytest.mark.parametrize("embedding", [10, 6])
def test_a_tied_model_is_stored_loaded_and_resumed(words, tmp_path, monkeypatch, embedding):
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)  # an event a step
    common = {
        "cell": "gru", "hidden": 10, "embedding": embedding, "batch_size": 8, "steps": 30, "split": "80/10/10",
        "options": {"model.tie": True, "eval_every": 10},
    }  # fmt: skip
    straight = seqgen.train(words, out=tmp_path / "a", **common)
    with pytest.raises(seqgen.Interrupted):
        seqgen.train(words, out=tmp_path / "b", listener=Stopper(17), **common)
    resumed = seqgen.resume(tmp_path / "b")
    assert digests(resumed.path) == digests(straight.path)
    loaded = seqgen.load(straight.path, checkpoint="latest")
    assert loaded.model.head.weight is loaded.model.embedding.weight
    assert loaded.settings.n_parameters == count_parameters(loaded.model)
    snapshot = loaded.folder.load_latest(pytest.fail)
    assert torch.equal(snapshot.model["head.weight"], loaded.model.embedding.weight)
    moments = {name for name in snapshot.train if "embedding" in name or "head.weight" in name}
    assert moments == {"mean.embedding.weight", "square.embedding.weight"}
    assert snapshot.train["mean.embedding.weight"].any()


# -- logits at some positions


@pytest.mark.parametrize("layers", [1, 2])
def test_logits_at_positions_are_those_of_all_positions(make_cell, layers):
    torch.manual_seed(0)
    model = RecurrentModel(9, make_cell, hidden=5, layers=layers, embedding=4, tie=layers == 2).double()
    ids = torch.randint(9, (3, 6))
    logits_TBV = model(ids, model.initial_state(3))[0].transpose(0, 1)
    assert torch.allclose(model.logits_at(ids, model.initial_state(3), None), logits_TBV.flatten(0, 1))
    positions = [(0, 0), (0, 2), (2, 1), (5, 0), (5, 2)]
    found = model.logits_at(ids, model.initial_state(3), torch.tensor([t * 3 + b for t, b in positions]))
    assert torch.allclose(found, torch.stack([logits_TBV[t, b] for t, b in positions]))
    weights = torch.randn(len(positions), 9, dtype=torch.float64)
    expected = torch.autograd.grad(
        (torch.stack([logits_TBV[t, b] for t, b in positions]) * weights).sum(), list(model.parameters())
    )
    for one, other in zip(
        torch.autograd.grad((found * weights).sum(), list(model.parameters())), expected, strict=True
    ):
        assert torch.allclose(one, other)


def test_forbidden_ids_have_no_probability():
    logs = log_probs(torch.zeros(2, 4), torch.tensor([True, False, True, False]))
    assert logs[:, [1, 3]].isneginf().all() and torch.allclose(logs[:, [0, 2]].exp().sum(-1), torch.ones(2))
