"""States whose parts are in a dict: they are matched by key, in whatever order a step returns them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import seqgen
from conftest import WORDS
from over_time import assert_agree, results
from seqgen.batches import encode
from seqgen.cells import RecurrentDropout, Zoneout
from seqgen.corpus import Record, Splitter
from seqgen.evaluation import penalty
from seqgen.exporting.step import OneStep
from seqgen.model import RecurrentModel
from seqgen.states import list_leaves, map_state
from seqgen.testing.layers import leaves_of
from seqgen.tokenizers import CharTokenizer, Vocabulary
from seqgen.training.model_checks import find_fault
from seqgen.training.train_step import TrainStep

VOCABULARY = Vocabulary(CharTokenizer.fit(WORDS))
TRAIN = encode(map(Record, WORDS), VOCABULARY, Splitter((1.0, 0.0, 0.0)))["train"]
H = 7


class Named(seqgen.StepCell):
    """A cell of two states, whose step returns them in the order of ``keys``."""

    keys: tuple[str, ...] = ("h", "c")

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)

    def initial_state(self, batch_size):
        return {"h": self.zeros(batch_size), "c": self.zeros(batch_size) + 0.5}

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, state):
        p_BH, q_BH = p_BP.chunk(2, 1)
        c_BH = state["c"] * torch.sigmoid(p_BH)
        h_BH = torch.tanh(q_BH + self.recurrent(state["h"]) * c_BH)
        parts = {"h": h_BH, "c": c_BH}
        return h_BH, dict(zip(self.keys, (parts.get(key, c_BH) for key in self.keys), strict=True))


class Turned(Named):
    keys = ("c", "h")


class Renamed(Named):
    keys = ("h", "d")


def twins(wrap):
    """Return a cell and one of the same weights that returns its parts in another order, both wrapped."""
    cells = []
    for kind in (Named, Turned):
        torch.manual_seed(0)
        cells.append(wrap(kind(5, H)))
    return cells


@pytest.mark.parametrize("engine", ["eager", "scan"])
@pytest.mark.parametrize(
    "wrap", [lambda cell: cell, lambda cell: Zoneout(cell, 0.3), lambda cell: RecurrentDropout(cell, 0.3)]
)
def test_parts_in_another_order_give_the_same_numbers(wrap, engine):
    torch.manual_seed(3)
    x_BTI = torch.randn(4, 6, 5)
    for training in (True, False):
        one, other = (results(cell.train(training), engine, x_BTI) for cell in twins(wrap))
        assert_agree(other, one)


def test_a_state_keeps_the_order_of_its_parts():
    state = {"b": torch.ones(1), "a": torch.zeros(1)}
    assert list(map_state(lambda leaf: leaf, state)) == ["b", "a"]
    assert [float(leaf) for leaf in list_leaves(state)] == [float(leaf) for leaf in leaves_of(state)] == [0, 1]


def test_zoneout_refuses_parts_of_another_name():
    cell = Zoneout(Renamed(5, H), 0.3)
    with pytest.raises(TypeError, match=r"cannot match two states: one has \{'h': tensor, 'd': tensor\} where"):
        cell.step(cell.noise(cell.project(torch.randn(2, 1, 5)))[:, 0], cell.initial_state(2))


@pytest.mark.parametrize("kind", [Turned, Renamed])
def test_parts_are_checked_before_a_run(kind):
    model = RecurrentModel(VOCABULARY.size, kind, hidden=H, embedding=5)
    fault, _ = find_fault(model, batch=TRAIN.take(np.arange(2)), n_symbols=VOCABULARY.size, fresh=True)
    wanted = ": initial_state gives {'h': tensor, 'c': tensor}, a step gives back {'h': tensor, 'd': tensor}"
    assert fault is None if kind is Turned else str(fault).startswith(wanted)


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_resumed_text_goes_on_with_each_part_of_its_state(pieces):
    def make():
        torch.manual_seed(0)
        model = RecurrentModel(VOCABULARY.size, Turned, hidden=H, embedding=5)
        settings = {"weight_decay": 0.01, "clip_norm": 1.0, "precision": "float32", "carries": True, "pieces": pieces}
        return model, TrainStep(model, penalty(VOCABULARY), **settings)

    batch = TRAIN.take(np.arange(4))._replace(continues=True)
    model, before = make()
    before.run(1, 0.01, batch, 1)
    other, after = make()
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    after.load({name: tensor.clone() for name, tensor in before.state().items()})
    one, two = before.run(2, 0.01, batch, 2), after.run(2, 0.01, batch, 2)
    assert torch.equal(one.nats, two.nats) and torch.equal(one.norm, two.norm)


def test_an_exported_step_passes_each_part_on():
    torch.manual_seed(0)
    model = RecurrentModel(VOCABULARY.size, Turned, hidden=H, embedding=5).eval()
    step, ids_BT = OneStep(model), torch.tensor([[3, 4, 5]])
    with torch.no_grad():
        leaves = step.initial_leaves(1)
        for index in range(3):
            logits_BV, *leaves = step(ids_BT[:, index], *leaves)
        expected_BTV, _ = model(ids_BT, model.initial_state(1))
    assert torch.allclose(logits_BV, expected_BTV[:, -1], atol=1e-6)
