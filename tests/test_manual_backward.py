"""The manual backward pass returns the gradients of autograd, for every cell, wrapper and batch shape."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import nn

from conftest import cells_in_tiers, registered
from seqgen.batches import Batch
from seqgen.cells import Dropout, Recurrent, StepCell, use_engine
from seqgen.engine import torch_compat
from seqgen.engine.plan_runner import traced_step
from seqgen.evaluation import total_nats
from seqgen.model import RecurrentModel
from seqgen.training.gradients import Gradients
from seqgen.training.manual_backward import loss_and_gradients, supports_manual_backward

V = 13
CELLS = {entry.qualified: entry for entry in registered("cell")}


def model_of(cell, dtype=torch.float64, **options):
    entry = CELLS.get(cell) if isinstance(cell, str) else None
    make = cell if entry is None else functools.partial(entry.build, {})
    torch.manual_seed(0)
    model = RecurrentModel(V, make, **{"hidden": 8, "embedding": 5, **options}).to(dtype).train()
    with torch.no_grad():
        for parameter in model.parameters():  # no bias stays at zero, no gain at one
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def batch_of(n_rows=6, n_steps=7, *, full=False, only_targets=False):
    generator = torch.Generator().manual_seed(1)
    ids, targets = torch.randint(1, V, (2, n_rows, n_steps), generator=generator)
    if not full:
        targets[torch.rand(n_rows, n_steps, generator=generator) < 0.3] = 0
    n_targets = int((targets > 0).sum())
    at_N = (targets.t().flatten() > 0).nonzero()[:, 0] if only_targets else None
    return Batch(ids, targets, at_N, n_targets, n_targets, n_rows)


def both(model, batch, seed=3):
    """Return loss and gradients by autograd and by the manual backward pass."""
    penalty_V = torch.zeros(V, dtype=model.head.weight.dtype)
    penalty_V[:2] = -torch.inf
    batch.targets_BT[batch.targets_BT == 1] = 2
    gradients = Gradients(model.parameters())
    for direct in (False, True):
        gradients.clear()
        torch.manual_seed(seed)
        if direct:
            nats, _ = loss_and_gradients(model, batch, penalty_V, None)
        else:
            nats = total_nats(model, batch, penalty_V)
            (nats / batch.n_targets).backward()
        yield nats.detach(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(model, batch=None):
    assert supports_manual_backward(model)
    (expected, wanted), (found, got) = both(model, batch or batch_of())
    assert torch.allclose(found, expected, rtol=1e-12)
    assert wanted.keys() == got.keys() and any(gradient.any() for gradient in wanted.values())
    for name, gradient in wanted.items():
        assert (got[name] - gradient).abs().max() <= 1e-9 * gradient.abs().max().clamp(min=1e-6), name


class Projecting(StepCell):
    """A cell h' = tanh(p + U h) with the projection ``how``: P = H = I."""

    how = staticmethod(lambda cell, x: x)

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.recurrent = Recurrent(hidden_size, hidden_size)
        self.vector = nn.Parameter(torch.rand(hidden_size))

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return type(self).how(self, x_BTI)

    def step(self, p_BP, h_BH):
        h_BH = torch.tanh(p_BP + self.recurrent(h_BH))
        return h_BH, h_BH


PROJECTIONS = {
    "none": lambda cell, x: x,
    "a view": lambda cell, x: x.flip(-1).unsqueeze(0).squeeze(0),
    "without a derivative": lambda cell, x: torch.ones_like(x),
    "a parameter alone": lambda cell, x: cell.vector.expand_as(x),
    "a parameter that meets every symbol": lambda cell, x: torch.tanh(x * cell.vector + cell.vector),
    "a product": lambda cell, x: cell.recurrent(x) + cell.recurrent(torch.relu(x)),
}


@pytest.mark.parametrize("how", PROJECTIONS)
@pytest.mark.parametrize("layers", [1, 2])
def test_every_projection(how, layers):
    cell = type("Given", (Projecting,), {"how": staticmethod(PROJECTIONS[how])})
    model = model_of(cell, hidden=8, embedding=8, layers=layers)
    assert_same(model)
    for layer in model.stack.layers:
        assert traced_step(layer).problem == ""
    assert bool(traced_step(model.stack.layers[0], "project").problem) is (how == "without a derivative")


SHARED = {
    "all numbers of a parameter": lambda cell, x: x * cell.vector.sum(),
    "two parameters alike": lambda cell, x: x + cell.vector + cell.second,
    "a parameter and its transpose": lambda cell, x: torch.tanh(x @ (cell.square + cell.turned.t())),
}


@pytest.mark.parametrize("compiled", [False, True])  # in inference mode, or without
@pytest.mark.parametrize("how", SHARED)
def test_gradients_that_share_memory_are_added_to(how, compiled):
    """Those of two batches are twice those of one, for parameters that had none."""

    class Given(Projecting):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.second = nn.Parameter(torch.rand(hidden_size))
            self.square, self.turned = (nn.Parameter(torch.rand(hidden_size, hidden_size)) for _ in range(2))

    Given.how = staticmethod(SHARED[how])
    model, gradients = model_of(Given, hidden=8, embedding=8), []
    batch = batch_of()
    for _ in range(2):
        loss_and_gradients(model, batch, torch.zeros(V, dtype=torch.float64), None, compiled=compiled)
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert traced_step(model.stack.layers[0], "project").problem == ""
    for once, twice in zip(*gradients, strict=True):
        torch.testing.assert_close(twice, 2 * once)


class Noisy(Projecting):
    """A cell whose noise has a derivative that needs its result."""

    def noise(self, p_BTP):
        return torch.tanh(p_BTP * self.vector)


def test_noise_whose_derivative_needs_its_result():
    assert_same(model_of(Noisy, hidden=8, embedding=8, layers=2))


def test_pieces_under_autograd_without_torchs_execution_engine(monkeypatch):
    monkeypatch.setattr(torch_compat, "EXECUTION_ENGINE", None)
    assert_same(model_of(next(name for name in CELLS if name.endswith(":lstm")), layers=2))


@pytest.mark.parametrize("engine", ["fused", "scan"])
@pytest.mark.parametrize("cell", cells_in_tiers(CELLS))
def test_every_cell(cell, engine):
    model = model_of(cell, layers=2, dropout=0.3)
    use_engine(model, engine)
    assert_same(model)
    assert not any(traced_step(layer).problem for layer in model.stack.layers)


@pytest.mark.parametrize(
    "options",
    [
        {"norm": "before", "skip": "residual", "layers": 3},
        {"norm": "after", "skip": "highway", "layers": 2},
        {"zoneout": 0.3},
        {"recurrent_dropout": 0.3, "layers": 2},
        {"zoneout": 0.2, "recurrent_dropout": 0.3, "skip": "residual"},
        {"tie": True},
        {"tie": True, "embedding": 8},
        {"dropout": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("cell", ["seqgen_classic:vanilla", "seqgen_classic:gru"])
def test_every_wrapper(cell, options):
    assert_same(model_of(cell, **options))


@pytest.mark.parametrize(
    "batch",
    [
        batch_of(full=True),
        batch_of(only_targets=True),
        batch_of(1, 1, full=True),
        batch_of(9, 1, full=True),
        batch_of(1, 9),
    ],
    ids=["full", "only targets", "one symbol", "one step", "one row"],
)
@pytest.mark.parametrize("cell", ["seqgen_classic:vanilla", "seqgen_classic:lstm", "seqgen_parallel:mingru"])
def test_every_shape(cell, batch):
    assert_same(model_of(cell), batch)


def test_frozen_parameters_get_no_gradient():
    model = model_of("seqgen_classic:gru")
    model.embedding.weight.requires_grad_(False)
    model.head.bias.requires_grad_(False)
    model.stack.cells[0].recurrent.weight.requires_grad_(False)
    assert_same(model)
    assert model.embedding.weight.grad is model.head.bias.grad is None


def test_a_step_that_cannot_be_traced():
    class Branching(StepCell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.input = nn.Linear(input_size, hidden_size)

        def initial_state(self, batch_size):
            return self.zeros(batch_size)

        def project(self, x_BTI):
            return self.input(x_BTI)

        def step(self, p_BP, state):
            h_BH = torch.tanh(p_BP + (state if p_BP.sum() > 0 else -state))
            return h_BH, h_BH

    assert_same(model_of(Branching, layers=2))


def test_models_without_a_manual_backward_pass():
    class Other(RecurrentModel):
        pass

    assert not supports_manual_backward(nn.Linear(2, 2))
    model = model_of("seqgen_classic:vanilla")
    assert supports_manual_backward(model)
    use_engine(model, "eager")
    assert not supports_manual_backward(model)
    model = model_of("seqgen_classic:vanilla")
    model.head = nn.Sequential(Dropout(0.1), model.head)
    assert not supports_manual_backward(model)
    model = model_of("seqgen_classic:vanilla")
    model.__class__ = Other
    assert not supports_manual_backward(model)
