"""Each cell against its equations, written plainly in NumPy, step by step and all steps at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from equations import sigmoid

pytest.importorskip("seqgen_parallel")
from seqgen_parallel.linear_recurrence import positive
from seqgen_parallel.mingru import MinGRUCell
from seqgen_parallel.minlstm import MinLSTMCell
from seqgen_parallel.sru import SRUCell

B, T, I, H = 4, 9, 5, 7
CELLS = [MinGRUCell, MinLSTMCell, SRUCell]


def g(a):
    return np.where(a >= 0, a + 0.5, sigmoid(a))


def make(form):
    torch.manual_seed(0)
    return form(I, H).double()


def gates(cell, name="input"):
    """Weight and bias of each block of H rows."""
    layer = getattr(cell, name)
    weight = layer.weight.detach().numpy().reshape(-1, H, I)
    return weight if layer.bias is None else list(zip(weight, layer.bias.detach().numpy().reshape(-1, H), strict=True))


def check(cell, equations):
    """Whole sequences from a state that is not zero, and one step at a time."""
    x_BTI, h_BH = torch.randn(B, T, I, dtype=torch.float64), torch.randn(B, H, dtype=torch.float64)
    state, expected = h_BH.numpy(), []
    for t in range(T):
        y, state = equations(x_BTI[:, t].numpy(), state)
        expected.append(y)
    y_BTH, end_BH = cell(x_BTI, h_BH)
    assert np.allclose(y_BTH.detach().numpy(), np.stack(expected, 1), rtol=1e-9, atol=1e-9)
    assert np.allclose(end_BH.detach().numpy(), state, rtol=1e-9, atol=1e-9)
    p_BTP = cell.project(x_BTI)
    for t in range(T):
        y_BH, h_BH = cell.step(p_BTP[:, t], h_BH)
        assert np.allclose(y_BH.detach().numpy(), expected[t], rtol=1e-9, atol=1e-9)


def test_mingru():
    cell = make(MinGRUCell)
    (w_z, b_z), (w_h, b_h) = gates(cell)

    def equations(x, h):
        z = sigmoid(x @ w_z.T + b_z)
        h = (1 - z) * h + z * g(x @ w_h.T + b_h)
        return h, h

    check(cell, equations)


def test_minlstm():
    cell = make(MinLSTMCell)
    (w_f, b_f), (w_i, b_i), (w_h, b_h) = gates(cell)

    def equations(x, h):
        f, i = sigmoid(x @ w_f.T + b_f), sigmoid(x @ w_i.T + b_i)
        h = f / (f + i) * h + i / (f + i) * g(x @ w_h.T + b_h)
        return h, h

    check(cell, equations)


def test_sru():
    cell = make(SRUCell)
    (w, w_s), ((w_f, b_f), (w_r, b_r)) = gates(cell), gates(cell, "gates")

    def equations(x, c):
        f, r = sigmoid(x @ w_f.T + b_f), sigmoid(x @ w_r.T + b_r)
        c = f * c + (1 - f) * (x @ w.T)
        return r * np.tanh(c) + (1 - r) * (x @ w_s.T), c

    check(cell, equations)


def test_minlstm_has_a_value_where_both_gates_underflow():
    cell = MinLSTMCell(1, 1)
    with torch.no_grad():
        cell.input.weight.zero_()
        cell.input.bias.copy_(torch.tensor([-200.0, -200.0, 1.0]))
    assert torch.allclose(cell.project(torch.zeros(1, 1, 1)), torch.tensor([[[0.5, 0.75]]]))


def test_positive_is_the_papers_g():
    x = torch.tensor([-30.0, -1.0, 0.0, 2.0], dtype=torch.float64)
    assert np.allclose(positive(x), g(x.numpy())) and positive(x).min() > 0


@pytest.mark.parametrize("form", CELLS)
def test_gradients_against_finite_differences(form):
    cell = make(form)
    x_BTI, h_BH = torch.randn(2, 4, I, dtype=torch.float64), torch.randn(2, H, dtype=torch.float64)
    given = x_BTI.requires_grad_(), h_BH.requires_grad_(), *cell.parameters()
    assert torch.autograd.gradcheck(lambda x, h, *_: cell(x, h), given)


@pytest.mark.parametrize("form", CELLS)
def test_both_forms_have_the_same_gradients(form):
    cell = make(form)
    x_BTI, weights = torch.randn(B, T, I, dtype=torch.float64), torch.randn(B, T, H, dtype=torch.float64)
    found = []
    for parallel in (True, False):
        cell.zero_grad()
        p_BTP, state = cell.project(x_BTI), cell.initial_state(B)
        if parallel:
            y_BTH, _ = cell.parallel(p_BTP, state)
        else:
            outputs = []
            for p_BP in p_BTP.unbind(1):
                y_BH, state = cell.step(p_BP, state)
                outputs.append(y_BH)
            y_BTH = torch.stack(outputs, 1)
        (y_BTH * weights).sum().backward()
        found.append([parameter.grad.clone() for parameter in cell.parameters()])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)
