from __future__ import annotations

from collections import namedtuple

import pytest
import torch

from seqgen import Recurrent, Stack, StepCell
from seqgen.states import map_state, select_rows


class Adder(StepCell):
    """y = h' = h + x."""

    def __init__(self, size: int) -> None:
        super().__init__(size, size)
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.projections = 0

    def initial_state(self, batch_size):
        return {"h": [self.zeros(batch_size)]}

    def project(self, x_BTI):
        self.projections += 1
        return x_BTI

    def step(self, p_BP, state):
        h = state["h"][0] + p_BP
        return h, {"h": [h]}


def test_a_step_cell_projects_once_and_steps_over_time():
    cell = Adder(3)
    x = torch.randn(2, 5, 3)
    y, state = cell(x, cell.initial_state(2))
    assert torch.allclose(y, x.cumsum(1)) and torch.equal(state["h"][0], y[:, -1])
    assert cell.projections == 1


def test_stack_feeds_layers_and_keeps_their_states():
    stack = Stack([Adder(3), Adder(3)])
    x = torch.randn(2, 5, 3)
    y, states = stack(x, stack.initial_state(2))
    assert torch.allclose(y, x.cumsum(1).cumsum(1), atol=1e-6) and len(states) == 2
    projected, _ = stack(stack.project(x), stack.initial_state(2), projected=True)
    assert torch.equal(projected, y)


def test_a_form_of_its_own_is_what_a_sequence_runs_through():
    class Faster(Adder):
        def fused(self, x_BTI, state):
            y_BTH = x_BTI.cumsum(1) + state["h"][0][:, None]
            return y_BTH, {"h": [y_BTH[:, -1]]}

    assert Stack([Adder(3)]).scans() and Stack([Faster(3)]).steps() and not Stack([Faster(3)]).scans()


def test_dropout_between_layers_only_while_training():
    torch.manual_seed(0)
    stack = Stack([Adder(30), Adder(30)], dropout=0.5)
    x = torch.ones(2, 4, 30)
    assert torch.equal(stack.eval()(x, stack.initial_state(2))[0], x.cumsum(1).cumsum(1))
    dropped = stack.train()(x, stack.initial_state(2))[0]
    assert (dropped == 0).any()
    alone = Stack([Adder(30)], dropout=0.5).train()
    assert torch.equal(alone(x, alone.initial_state(2))[0], x.cumsum(1))


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: t,
        lambda t: (t, t + 1),
        lambda t: [t, {"x": (t,)}],
        lambda t: Pair(t, {"y": t * 2}),
    ],
)
def test_states_of_any_nesting(wrap):
    state = wrap(torch.arange(12.0).reshape(4, 3))
    picked = select_rows(state, torch.tensor([3, 1]))
    assert type(picked) is type(state)
    leaves: list[torch.Tensor] = []
    map_state(leaves.append, picked)
    expected: list[torch.Tensor] = []
    map_state(expected.append, state)
    for leaf, whole in zip(leaves, expected, strict=True):
        assert torch.equal(leaf, whole[[3, 1]])


def test_recurrent_is_linear():
    layer = Recurrent(3, 4)
    x = torch.randn(2, 3)
    assert torch.allclose(layer(x), x @ layer.weight.T) and layer.bias is None
    biased = Recurrent(3, 4, bias=True)
    assert torch.allclose(biased(x), x @ biased.weight.T + biased.bias)
