"""Each cell against its equations, written plainly in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import seqgen
from equations import B, H, I, T, blocks, check, layer_normed, make, numbers, over_time, relu, sigmoid, tanh
from seqgen import testing

pytest.importorskip("seqgen_gated")
import seqgen_gated
from seqgen_gated.cifg import CIFGCell
from seqgen_gated.indrnn import IndRNNCell
from seqgen_gated.lnlstm import LNLSTMCell
from seqgen_gated.minimalrnn import MinimalRNNCell
from seqgen_gated.nas import NASCell
from seqgen_gated.ugrnn import UGRNNCell


def test_cifg():
    cell = make(CIFGCell)
    w = numbers(cell)
    (w_f, w_o, w_z), (u_f, u_o, u_z) = blocks(w["input.weight"]), blocks(w["recurrent.weight"])
    b_f, b_o, b_z = blocks(w["input.bias"])

    def equations(x, h, c):
        f = sigmoid(x @ w_f.T + h @ u_f.T + b_f)
        i = 1 - f
        c = f * c + i * tanh(x @ w_z.T + h @ u_z.T + b_z)
        return sigmoid(x @ w_o.T + h @ u_o.T + b_o) * tanh(c), c

    check(cell, equations, 2)


def lnlstm_equations(w, mask=1.0):
    def equations(x, h, c):
        of_x = layer_normed(x @ w["input.weight"].T, w["input_norm.weight"], w["input_norm.bias"])
        of_h = layer_normed(h @ w["recurrent.weight"].T, w["recurrent_norm.weight"])
        f, i, o, g = np.split(of_x + of_h, 4, 1)
        c = sigmoid(f) * c + sigmoid(i) * (mask * tanh(g))
        return sigmoid(o) * tanh(layer_normed(c, w["memory_norm.weight"], w["memory_norm.bias"])), c

    return equations


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_lnlstm_in_evaluation_mode(dropout):
    cell = make(LNLSTMCell, recurrent_dropout=dropout).eval()
    check(cell, lnlstm_equations(numbers(cell)), 2)


def test_lnlstm_without_dropout_is_the_same_while_training():
    cell = make(LNLSTMCell)
    assert cell.training
    check(cell, lnlstm_equations(numbers(cell)), 2)


def test_recurrent_dropout_drops_a_share_and_scales_the_rest():
    cell = make(LNLSTMCell, recurrent_dropout=0.25)
    p_BTP = cell.project(torch.randn(50, 40, I, dtype=torch.float64))
    mask_BTH = cell.noise(p_BTP)[:, :, 4 * H :]
    assert torch.equal(cell.noise(p_BTP)[:, :, : 4 * H], p_BTP) and mask_BTH.shape == (50, 40, H)
    assert set(mask_BTH.unique().tolist()) == {0.0, 1 / 0.75}
    assert (mask_BTH == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
    assert not torch.equal(mask_BTH[:, 0], mask_BTH[:, 1]) and not torch.equal(mask_BTH[0], mask_BTH[1])
    assert cell.eval().noise(p_BTP) is p_BTP


def test_recurrent_dropout_is_applied_to_the_candidate_only():
    cell = make(LNLSTMCell, recurrent_dropout=0.5)
    x_BI, state = torch.randn(B, I, dtype=torch.float64), tuple(torch.randn(2, B, H, dtype=torch.float64))
    p_BP = cell.noise(cell.project(x_BI[:, None]))[:, 0]
    h, c = lnlstm_equations(numbers(cell), p_BP[:, 4 * H :].detach().numpy())(
        x_BI.numpy(), *(leaf.numpy() for leaf in state)
    )
    y_BH, (_, c_BH) = cell.step(p_BP, state)
    assert np.allclose(y_BH.detach().numpy(), h, atol=1e-9) and np.allclose(c_BH.detach().numpy(), c, atol=1e-9)


def test_a_sequence_is_random_while_training_only():
    cell, x_BTI = make(LNLSTMCell, recurrent_dropout=0.5), torch.randn(B, T, I, dtype=torch.float64)
    first, second = (cell(x_BTI, cell.initial_state(B))[0] for _ in range(2))
    assert not torch.equal(first, second)
    cell.eval()
    first, second = (cell(x_BTI, cell.initial_state(B))[0] for _ in range(2))
    assert torch.equal(first, second)


def test_ugrnn():
    cell = make(UGRNNCell)
    w = numbers(cell)
    (w_g, w_c), (u_g, u_c), (b_g, b_c) = (blocks(w[n]) for n in ("input.weight", "recurrent.weight", "input.bias"))

    def equations(x, h):
        c = tanh(x @ w_c.T + h @ u_c.T + b_c)
        g = sigmoid(x @ w_g.T + h @ u_g.T + b_g)
        return (g * h + (1 - g) * c,)

    check(cell, equations, 1)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"projection": 3}])
def test_nas(options):
    cell = make(NASCell, **options)
    w = numbers(cell)
    assert ("recurrent.bias" in w) == options.get("bias", True)
    projection = w.get("projection.weight", np.eye(H))
    order = [0, 2, 5, 7, 4, 6, 1, 3]

    def branches(matrix):
        return dict(zip(order, blocks(matrix), strict=True))

    w_x, u = branches(w["input.weight"]), branches(w["recurrent.weight"])
    bias = branches(w.get("recurrent.bias", np.zeros(8 * H)))

    def equations(x, h, c):
        of_x = [x @ w_x[k].T for k in range(8)]
        of_h = [h @ u[k].T + bias[k] for k in range(8)]
        acts = [sigmoid, relu, sigmoid, relu, tanh, sigmoid, tanh, sigmoid]
        one = [act(of_x[k] * of_h[k] if k == 3 else of_x[k] + of_h[k]) for k, act in enumerate(acts)]
        two = tanh(one[0] * one[1]), tanh(one[2] + one[3]), tanh(one[4] * one[5]), sigmoid(one[6] + one[7])
        c = tanh(two[0] + c) * two[1]
        return tanh(c * tanh(two[2] + two[3])) @ projection.T, c

    x_BTI = torch.randn(B, T, I, dtype=torch.float64)
    expected = over_time(equations, [np.zeros((B, cell.output_size)), np.zeros((B, H))], x_BTI.numpy())
    assert np.allclose(cell(x_BTI, cell.initial_state(B))[0].detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("activation", "act"), [("relu", relu), ("tanh", tanh)])
def test_indrnn(activation, act):
    cell = make(IndRNNCell, activation=activation)
    w = numbers(cell)
    check(cell, lambda x, h: (act(x @ w["input.weight"].T + w["input.bias"] + w["u"] * h),), 1)


def test_minimalrnn():
    cell = make(MinimalRNNCell)
    w = numbers(cell)

    def equations(x, h):
        z = tanh(x @ w["input.weight"].T + w["input.bias"])
        u = sigmoid(h @ w["recurrent.weight"].T + z @ w["gate.weight"].T + w["gate.bias"])
        return (u * h + (1 - u) * z,)

    check(cell, equations, 1)


def test_where_biases_start():
    assert torch.equal(CIFGCell(I, H).input.bias[:H], torch.ones(H))
    assert torch.equal(CIFGCell(I, H, forget_bias=-2.0).input.bias[:H], torch.full((H,), -2.0))
    assert torch.equal(LNLSTMCell(I, H).input_norm.bias, torch.tensor([1.0] * H + [0.0] * 3 * H))
    assert torch.equal(LNLSTMCell(I, H, forget_bias=3.0).input_norm.bias[:H], torch.full((H,), 3.0))
    assert torch.equal(UGRNNCell(I, H).input.bias[:H], torch.ones(H))
    assert torch.equal(UGRNNCell(I, H, gate_bias=0.5).input.bias[:H], torch.full((H,), 0.5))
    assert torch.equal(NASCell(I, H).recurrent.bias, torch.zeros(8 * H))
    u = IndRNNCell(I, 1000).u
    assert 0 <= u.min() < 0.05 and 0.95 < u.max() < 1


FORMS = [
    (CIFGCell, {}),
    (LNLSTMCell, {}),
    (UGRNNCell, {}),
    (NASCell, {}),
    (NASCell, {"bias": False, "projection": 3}),
    (IndRNNCell, {}),
    (IndRNNCell, {"activation": "tanh"}),
    (MinimalRNNCell, {}),
]


@pytest.mark.parametrize(("form", "options"), FORMS)
def test_gradients_against_finite_differences(form, options):
    cell = make(form, **options)
    x_BTI = torch.randn(2, 4, I, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: cell(x, cell.initial_state(2))[0], (x_BTI,))


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cifg", {"forget_bias": 0.0}),
        ("lnlstm", {"recurrent_dropout": 0.5}),
        ("ugrnn", {"gate_bias": -1.0}),
        ("nas", {"bias": False, "projection": 3}),
        ("indrnn", {"activation": "tanh"}),
    ],
)
def test_the_contract_with_options(name, options):
    torch.manual_seed(0)
    specs = []
    seqgen_gated.register_cells(specs.append)
    testing.check_cell(next(spec for spec in specs if spec.name == name), **options)


@pytest.mark.parametrize("text", ["recurrent_dropout=1", "recurrent_dropout=-0.1"])
def test_impossible_options_are_refused(text, words, tmp_path):
    name, value = text.split("=")
    with pytest.raises(seqgen.BadOption, match=name):
        seqgen.train(words, cell="lnlstm", steps=1, out=tmp_path / "run", options={f"cell.{name}": float(value)})


def test_dropout_in_a_model_with_layers(words, tmp_path):
    """Dropout masks are sampled whether the projection is looked up or computed."""
    common = {"cell": "lnlstm", "hidden": 8, "embedding": 4, "layers": 2, "steps": 3}
    losses = []
    for name, options in (("a", {"cell.recurrent_dropout": 0.5}), ("b", {"cell.recurrent_dropout": 0.5}), ("c", {})):
        run = seqgen.train(words, **common, out=tmp_path / name, options=options)
        losses.append(run.metrics[-1]["train_loss_nats"])
    assert losses[0] == losses[1] != losses[2]
