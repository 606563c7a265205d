"""Dilated convolutions against their equations in NumPy, and what a step sees of the past.

Dimension letters: B batch, T steps, I input, H output.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conftest import registered
from equations import B, I, T, make, relu, sigmoid, tanh
from seqgen import testing

pytest.importorskip("seqgen_attention")
from seqgen_attention.tcn import Convolution, TCNCell

OPTIONS = [{}, {"kernel": 3, "dilations": "2,1"}, {"gated": True}, {"gated": True, "kernel": 3, "dilations": "3"}]


def linear(x, layer):
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def conv(layer, x, t, past):
    """Return a convolution's output at step t of x, a list of (B, features), after ``past`` (B, steps, features)."""
    total = layer.linear.bias.detach().numpy()
    for j, weight in enumerate(np.split(layer.linear.weight.detach().numpy(), layer.kernel, 1)):
        at = t - j * layer.dilation
        total = total + (x[at] if at >= 0 else past[:, at]) @ weight.T
    return total


def by_the_equations(cell, x_BTI, state):
    """The outputs (B, T, H), from a state."""
    past = [leaf.numpy() for leaf in state]
    steps = [x_BTI[:, t].numpy() for t in range(x_BTI.shape[1])]
    a = [linear(x, cell.input) for x in steps]
    if not cell.gated:
        for n in range(0, len(cell.convolutions), 2):
            inner = [relu(conv(cell.convolutions[n], a, t, past[n])) for t in range(len(a))]
            outer = [relu(conv(cell.convolutions[n + 1], inner, t, past[n + 1])) for t in range(len(a))]
            a = [relu(old + new) for old, new in zip(a, outer, strict=True)]
        return np.stack(a, 1)
    total = [0.0] * len(a)
    for n, (layer, mix) in enumerate(zip(cell.convolutions, cell.mixes, strict=True)):
        both = [np.split(conv(layer, a, t, past[n]), 2, 1) for t in range(len(a))]
        mixed = [linear(tanh(f) * sigmoid(g), mix) for f, g in both]
        total = [old + new[:, : cell.hidden_size] for old, new in zip(total, mixed, strict=True)]
        if n < len(cell.mixes) - 1:
            a = [old + new[:, cell.hidden_size :] for old, new in zip(a, mixed, strict=True)]
    return relu(np.stack(total, 1))


@pytest.mark.parametrize("zero", [True, False], ids=["from zero", "from anywhere"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equations(options, zero):
    cell, x_BTI = make(TCNCell, **options), torch.randn(B, T, I, dtype=torch.float64)
    state = tuple(leaf if zero else torch.randn_like(leaf) for leaf in cell.initial_state(B))
    expected = by_the_equations(cell, x_BTI, state)
    y_BTH, end = cell(x_BTI, state)
    assert np.allclose(y_BTH.detach().numpy(), expected, rtol=1e-9, atol=1e-9)
    for t in range(T):
        y_B1H, state = cell(x_BTI[:, t : t + 1], state)
        assert np.allclose(y_B1H[:, 0].detach().numpy(), expected[:, t], rtol=1e-9, atol=1e-9)
    assert all(torch.allclose(one, other, rtol=1e-9, atol=1e-9) for one, other in zip(state, end, strict=True))


@pytest.mark.full
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_kit_with_options(options):
    (spec,) = [entry.spec for entry in registered("cell") if entry.spec.name == "tcn"]
    testing.check_cell(spec, **options)


@pytest.mark.full
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients_against_finite_differences(options):
    torch.manual_seed(0)
    cell = TCNCell(2, 3, **options).double()
    x_BTI = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    state = [torch.randn_like(leaf).requires_grad_() for leaf in cell.initial_state(2)]

    def run(x, *rest):
        y, end = cell(x, rest[: len(state)])
        return y, *end

    assert torch.autograd.gradcheck(run, (x_BTI, *state, *cell.parameters()), fast_mode=True)


@pytest.mark.parametrize(("gated", "sees"), [(True, 1 + 7), (False, 1 + 2 * 7)])
def test_a_step_sees_as_far_as_it_says(gated, sees):
    cell = make(TCNCell, gated=gated, dilations="1,2,4")
    with torch.no_grad():  # nothing is cut off by a ReLU
        for name, parameter in cell.named_parameters():
            parameter.copy_(parameter.abs() + (1.0 if name.endswith("bias") else 0.0))
    x_BTI = torch.rand(1, 20, I, dtype=torch.float64).requires_grad_()
    y_BTH, _ = cell(x_BTI, cell.initial_state(1))
    (gradient,) = torch.autograd.grad(y_BTH[0, -1].sum(), x_BTI)
    assert gradient[0].any(1).tolist() == [False] * (20 - sees) + [True] * sees


def test_the_state_does_not_grow():
    cell = make(TCNCell, kernel=3, dilations="1,5", gated=True)
    _, end = cell(torch.randn(2, 50, I, dtype=torch.float64), cell.initial_state(2))
    assert [leaf.shape[1] for leaf in end] == [leaf.shape[1] for leaf in cell.initial_state(2)] == [2, 10]


def test_a_convolution_is_that_of_torch():
    torch.manual_seed(0)
    ours, theirs = Convolution(3, 4, 3, 2).double(), torch.nn.Conv1d(3, 4, 3, dilation=2).double()
    with torch.no_grad():
        theirs.weight.copy_(ours.linear.weight.unflatten(1, (3, 3)).flip(1).transpose(1, 2))
        theirs.bias.copy_(ours.linear.bias)
    x_TBI = torch.randn(9, 2, 3, dtype=torch.float64)
    padded_BIT = torch.nn.functional.pad(x_TBI.permute(1, 2, 0), (4, 0))
    y_TBO, _ = ours(x_TBI, ours.initial_state(2))
    assert torch.allclose(y_TBO, theirs(padded_BIT).permute(2, 0, 1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("given", ["kernel=1", "dilations=0", "dilations=1,,2", "dilations=", "dilations=a", "gated=9"])
def test_impossible_options_are_refused_in_one_line(cli, words, given):
    result = cli("train", "--corpus", words, "--cell", "tcn", "-o", f"cell.{given}", "--steps", 1)
    assert result.code == 2 and result.err.count("\n") == 1 and given.partition("=")[0] in result.err
