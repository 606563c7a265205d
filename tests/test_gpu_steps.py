"""The experiments of benchmarks/gpu.py take the steps of ``TrainStep``: a step as a CUDA graph, and models stacked."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import pytest
import torch

from conftest import registered
from seqgen.cells import use_engine
from seqgen.training.train_step import TrainStep
from test_gpu import on_each_device
from test_manual_backward import V, batch_of, model_of

SETTINGS = {"weight_decay": 0.01, "clip_norm": 0.5}
CELLS = {entry.spec.name: functools.partial(entry.build, {}) for entry in registered("cell")}


@pytest.fixture
def cuda_graph(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    import cuda_graph

    return cuda_graph


def assert_same_weights(found, expected):
    for name, weight in expected.items():
        assert (found[name] - weight).abs().max() <= 1e-4 * max(1.0, weight.abs().max()), name


@on_each_device
@pytest.mark.parametrize("cell", ["lstm", "gru", "mogrifier", "mingru", "transformer"])
def test_a_step_as_a_graph_is_the_plain_step(cuda_graph, cell, device):
    """With dropout, whose masks are the same, on batches of two lengths; a step that is not finite changes nothing."""
    model = model_of(CELLS[cell], torch.float32, layers=2, dropout=0.3).to(device)
    other, penalty_V = copy.deepcopy(model), torch.zeros(V, device=device)
    plain = TrainStep(model, penalty_V, precision="float32", **SETTINGS)
    graphs = cuda_graph.GraphStep(other, penalty_V, precision="float32", captures=device == "cuda", **SETTINGS)
    for number in range(1, 7):
        batch = batch_of(8, 8 if number % 2 else 16).to(torch.device(device))
        results = [step.run(number, 0.01, batch, number) for step in (plain, graphs)]
        assert results[1].nats.item() == pytest.approx(results[0].nats.item(), rel=1e-4)
        assert results[1].norm.item() == pytest.approx(results[0].norm.item(), rel=1e-3)
    assert_same_weights(dict(other.named_parameters()), dict(model.named_parameters()))
    before = {name: weight.detach().clone() for name, weight in other.named_parameters()}
    with torch.no_grad():
        other.head.bias[3] = torch.nan
    graphs.run(7, 0.01, batch, 7)
    assert all(torch.equal(weight, before[name]) for name, weight in other.named_parameters() if name != "head.bias")


@on_each_device
@pytest.mark.parametrize("cell", ["lstm", "ugrnn", "mamba"])
def test_stacked_models_learn_as_each_alone(cuda_graph, cell, device):
    """Each on batches of its own, clipped by its own norm; cuDNN's layers, left out here, multiply otherwise."""
    models = [model_of(CELLS[cell], torch.float32).to(device) for _ in range(3)]
    torch.manual_seed(5)
    for model in models:
        for weight in model.parameters():
            weight.data.add_(0.1 * torch.randn_like(weight))
    alone, penalty_V = [copy.deepcopy(model) for model in models], torch.zeros(V, device=device)
    for model in alone:
        use_engine(model, "scan")
    batches = [batch_of(8, 8)._replace(ids_BT=torch.randint(1, V, (8, 8))).to(torch.device(device)) for _ in models]
    together = cuda_graph.StackedStep(models, penalty_V, shape=(8, 8), captures=device == "cuda", **SETTINGS)
    steps = [TrainStep(model, penalty_V, precision="float32", **SETTINGS) for model in alone]
    for number in range(1, 6):
        nats_S = together.run(number, 0.01, batches)
        expected = [step.run(number, 0.01, batch).nats.item() for step, batch in zip(steps, batches, strict=True)]
        assert nats_S.tolist() == pytest.approx(expected, rel=1e-4)
    for index, model in enumerate(alone):
        weights = {name.removeprefix("model."): stacked[index] for name, stacked in together.parameters.items()}
        assert_same_weights(weights, dict(model.named_parameters()))
