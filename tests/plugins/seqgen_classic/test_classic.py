"""Each cell against torch's own on copied weights, or against its equations in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import seqgen

pytest.importorskip("seqgen_classic")
from seqgen_classic.gru import GRUCell
from seqgen_classic.lstm import LSTMCell
from seqgen_classic.vanilla import VanillaCell

B, T, I, H = 4, 9, 5, 7


def run(cell, x):
    return cell(x, cell.initial_state(len(x)))


def copy_gates(ours, theirs) -> None:
    """Weights and both biases of a torch layer; the two input biases are summed."""
    with torch.no_grad():
        ours.input.weight.copy_(theirs.weight_ih_l0)
        ours.recurrent.weight.copy_(theirs.weight_hh_l0)
        ours.input.bias.copy_(theirs.bias_ih_l0 + theirs.bias_hh_l0)


def compare(ours, theirs, hidden_of):
    """Outputs, last state and every gradient of one batch."""
    x = torch.randn(B, T, I, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    y, state = run(ours, x)
    expected, last = theirs(twin)
    assert torch.allclose(y, expected, atol=1e-5)
    for one, other in zip(hidden_of(state), last if isinstance(last, tuple) else (last,), strict=True):
        assert torch.allclose(one, other[0], atol=1e-5)
    weights = torch.randn_like(y)
    (y * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.allclose(x.grad, twin.grad, atol=1e-5)
    assert torch.allclose(ours.recurrent.weight.grad, theirs.weight_hh_l0.grad, atol=1e-4)
    assert torch.allclose(ours.input.weight.grad, theirs.weight_ih_l0.grad, atol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_vanilla_is_torchs_rnn(activation):
    torch.manual_seed(0)
    ours, theirs = VanillaCell(I, H, activation=activation), nn.RNN(I, H, nonlinearity=activation, batch_first=True)
    copy_gates(ours, theirs)
    compare(ours, theirs, lambda state: (state,))


def test_vanilla_is_the_notebooks_dense_layer():
    """h' = relu([x, h] W + b), with W in one piece as the notebook has it."""
    torch.manual_seed(0)
    cell = VanillaCell(I, H)
    x, h = torch.randn(B, I), torch.rand(B, H)
    w = torch.cat([cell.input.weight, cell.recurrent.weight], 1).detach().numpy()
    expected = np.maximum(np.concatenate([x.numpy(), h.numpy()], 1) @ w.T + cell.input.bias.detach().numpy(), 0)
    assert np.allclose(cell(x[:, None], h)[1].detach().numpy(), expected, atol=1e-6)


class LSTMByItsEquations(LSTMCell):
    """Without the fused form."""

    forward = seqgen.StepCell.forward


@pytest.mark.parametrize("form", [LSTMCell, LSTMByItsEquations])
def test_lstm_is_torchs(form):
    torch.manual_seed(0)
    ours, theirs = form(I, H), nn.LSTM(I, H, batch_first=True)
    copy_gates(ours, theirs)
    compare(ours, theirs, lambda state: state)


def test_both_forms_of_the_lstm_have_the_same_gradients():
    torch.manual_seed(0)
    fused = LSTMCell(I, H).double()
    plain = LSTMByItsEquations(I, H).double()
    plain.load_state_dict(fused.state_dict())
    x, weights = torch.randn(B, T, I, dtype=torch.float64), torch.randn(B, T, H, dtype=torch.float64)
    for cell in (fused, plain):
        (run(cell, x)[0] * weights).sum().backward()
    for one, other in zip(fused.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-9, atol=1e-9)


def test_the_forget_gate_starts_open():
    assert torch.equal(LSTMCell(I, H).input.bias[H : 2 * H], torch.ones(H))
    assert torch.equal(LSTMCell(I, H, forget_bias=-2.0).input.bias[H : 2 * H], torch.full((H,), -2.0))


def test_gru_with_reset_after_is_torchs():
    torch.manual_seed(0)
    ours, theirs = GRUCell(I, H), nn.GRU(I, H, batch_first=True)
    copy_gates(ours, theirs)
    with torch.no_grad():
        ours.input.bias[2 * H :] = theirs.bias_ih_l0[2 * H :]
        ours.candidate_bias.copy_(theirs.bias_hh_l0[2 * H :])
    compare(ours, theirs, lambda state: (state,))


def test_gru_with_reset_before_is_the_papers():
    torch.manual_seed(0)
    cell = GRUCell(I, H, reset="before").double()
    x = torch.randn(B, T, I, dtype=torch.float64)
    p, w, u = (a.detach().numpy() for a in (cell.input(x), cell.recurrent.weight, cell.candidate.weight))
    h = np.zeros((B, H))
    expected = []
    for t in range(T):
        r, z = (1 / (1 + np.exp(-(p[:, t, at : at + H] + h @ w[at : at + H].T))) for at in (0, H))
        n = np.tanh(p[:, t, 2 * H :] + (r * h) @ u.T)
        h = (1 - z) * n + z * h
        expected.append(h)
    assert np.allclose(run(cell, x)[0].detach().numpy(), np.stack(expected, 1), atol=1e-9)


@pytest.mark.parametrize("make", [VanillaCell, GRUCell, LSTMCell, lambda i, h: GRUCell(i, h, reset="before")])
def test_gradients_against_finite_differences(make):
    torch.manual_seed(0)
    cell = make(3, 4).double()
    x = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: run(cell, x)[0], (x,))
