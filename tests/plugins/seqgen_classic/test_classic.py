"""Each cell against torch's own on copied weights, or against its equations in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_classic")
import seqgen_classic
from seqgen.states import list_leaves, map_state
from seqgen_classic import gru, lstm, vanilla
from seqgen_classic.gru import GRUCell
from seqgen_classic.lstm import LSTMCell
from seqgen_classic.vanilla import VanillaCell
from seqgen_classic.weights import flatten_weights, layer_weights

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


@pytest.mark.parametrize("in_one_piece", [False, True])
@pytest.mark.parametrize(
    "cell", [VanillaCell(I, H), VanillaCell(I, H, activation="tanh"), GRUCell(I, H), LSTMCell(I, H)], ids=repr
)
def test_fused_forms_are_the_steps(cell, in_one_piece, monkeypatch):
    """Those that only a GPU uses can be computed here too, and so can the weights as they lie there."""
    if in_one_piece:
        for module in (gru, lstm, vanilla):
            laid_out = lambda *given: flatten_weights(layer_weights(*given))  # noqa: E731
            monkeypatch.setattr(module, "layer_weights", laid_out)
    cell = cell.double()
    cell.engine = "eager"
    x = torch.randn(B, T, I, dtype=torch.double, requires_grad=True)
    state = map_state(lambda leaf: torch.randn_like(leaf, requires_grad=True), cell.initial_state(B))
    if isinstance(cell, GRUCell):
        nn.init.normal_(cell.candidate_bias)
    results = []
    for run in (cell.fused, cell.forward):
        y, last = run(x, state)
        total = (y * torch.linspace(-1, 1, H)).sum() + sum(leaf.sum() for leaf in list_leaves(last))
        results.append(
            [y, *list_leaves(last), *torch.autograd.grad(total, [x, *list_leaves(state), *cell.parameters()])]
        )
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-10)


class LSTMByItsEquations(LSTMCell):
    """Without the fused form."""

    def fuses(self):
        return False


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


LSTM_OPTIONS = [
    {"peepholes": True},
    {"projection": 3},
    {"projection": H + 2},
    {"clip": 0.2},
    {"peepholes": True, "projection": 3, "clip": 0.2},
    {"projection": 3, "projection_clip": 0.2},
]


def lstm_with(**options):
    """In float64, with peepholes that are not 0."""
    torch.manual_seed(0)
    cell = LSTMCell(I, H, **options).double()
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            if name.startswith("peephole"):
                parameter.normal_()
    return cell


@pytest.mark.parametrize("options", LSTM_OPTIONS)
def test_lstm_with_options_is_its_equations(options):
    cell = lstm_with(**options)
    w = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    of_i, of_f = w.get("peephole_if", np.zeros(2 * H)).reshape(2, H)
    of_o, limit = w.get("peephole_o", np.zeros(H)), options.get("clip", np.inf)
    h, c = np.zeros((B, cell.output_size)), np.zeros((B, H))
    x, expected, clipped = torch.randn(B, T, I, dtype=torch.float64), [], False
    for t in range(T):
        sums = x[:, t].numpy() @ w["input.weight"].T + w["input.bias"] + h @ w["recurrent.weight"].T
        i, f, g, o = np.split(sums, 4, 1)
        i, f = (1 / (1 + np.exp(-a)) for a in (i + of_i * c, f + of_f * c))
        free = f * c + i * np.tanh(g)
        c = np.clip(free, -limit, limit)
        clipped |= bool((c != free).any())
        h = np.tanh(c) / (1 + np.exp(-(o + of_o * c)))
        h = h @ w["projection.weight"].T if "projection" in options else h
        h = np.clip(h, -options.get("projection_clip", np.inf), options.get("projection_clip", np.inf))
        expected.append(h)
    y, (h_end, c_end) = run(cell, x)
    for ours, numpys in ((y, np.stack(expected, 1)), (h_end, h), (c_end, c)):
        assert np.allclose(ours.detach().numpy(), numpys, rtol=1e-9, atol=1e-9)
    assert clipped == ("clip" in options)


def test_lstm_with_a_projection_is_torchs():
    torch.manual_seed(0)
    ours, theirs = LSTMCell(I, H, projection=3).double(), nn.LSTM(I, H, batch_first=True, proj_size=3).double()
    copy_gates(ours, theirs)
    with torch.no_grad():
        ours.projection.weight.copy_(theirs.weight_hr_l0)
    x = torch.randn(B, T, I, dtype=torch.float64)
    assert torch.allclose(run(ours, x)[0], theirs(x)[0], rtol=1e-9, atol=1e-9)


def test_only_the_plain_lstm_is_fused():
    assert LSTMCell(I, H).fuses() and not any(LSTMCell(I, H, **options).fuses() for options in LSTM_OPTIONS)


def test_peepholes_start_closed():
    torch.manual_seed(0)
    plain = LSTMCell(I, H).double()
    torch.manual_seed(0)
    cell = LSTMCell(I, H, peepholes=True).double()
    x = torch.randn(B, T, I, dtype=torch.float64)
    assert torch.allclose(run(cell, x)[0], run(plain, x)[0], rtol=1e-9, atol=1e-9)


@pytest.mark.full
@pytest.mark.parametrize("options", LSTM_OPTIONS)
def test_lstm_with_options_keeps_the_contract(options):
    torch.manual_seed(0)
    specs = []
    seqgen_classic.register_cells(specs.append)
    testing.check_cell(next(spec for spec in specs if spec.name == "lstm"), **options)


@pytest.mark.parametrize("options", LSTM_OPTIONS)
def test_gradients_of_the_lstm_with_options(options):
    cell = lstm_with(**options)
    x = torch.randn(2, 4, I, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: run(cell, x)[0], (x,))


@pytest.mark.parametrize("option", ["projection=0", "clip=0"])
def test_impossible_options_of_the_lstm_are_refused(cli, words, option):
    result = cli("train", "--corpus", words, "--cell", "lstm", "--steps", 1, "-o", f"cell.{option}")
    assert result.code == 2 and option.split("=")[0] in result.err


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


def test_weights_in_one_piece_follow_one_another_in_memory():
    weights = layer_weights(nn.Linear(I, 3 * H), seqgen.Recurrent(H, 3 * H), torch.ones(3 * H))
    pieces = flatten_weights(weights)
    assert all(torch.equal(piece, weight) for piece, weight in zip(pieces, weights, strict=True))
    ends = [piece.data_ptr() + piece.numel() * piece.element_size() for piece in pieces]
    assert ends[:-1] == [piece.data_ptr() for piece in pieces[1:]]
