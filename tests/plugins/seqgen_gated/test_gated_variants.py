"""The variants of the LSTM and the GRU against their equations, written plainly in NumPy; and the options of LSTMs.

R: features of the output, where they are projected.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

import seqgen
from equations import B, H, I, T, blocks, check, layer_normed, make, numbers, over_time, relu, sigmoid, tanh
from seqgen import testing

pytest.importorskip("seqgen_gated")
import seqgen_gated
from seqgen_gated.cfn import CFNCell
from seqgen_gated.cifg import CIFGCell
from seqgen_gated.glstm import GLSTMCell
from seqgen_gated.indygru import IndyGRUCell
from seqgen_gated.indylstm import IndyLSTMCell
from seqgen_gated.intersection import IntersectionCell
from seqgen_gated.lnlstm import LNLSTMCell
from seqgen_gated.phased import PhasedLSTMCell
from seqgen_gated.wnlstm import WNLSTMCell

R = 3
MEMORY = [
    {},
    {"peepholes": True},
    {"clip": 0.3},
    {"projection": R},
    {"projection": R, "projection_clip": 0.05},
    {"peepholes": True, "clip": 0.3, "projection": H + 2, "projection_clip": 0.05},
]
"""Options that the relatives of the LSTM share."""


def length_of(v):
    return np.sqrt((v * v).sum(1, keepdims=True))


def lstm_tail(w, projected=lambda w: w["projection.weight"], clip=None, projection=None, projection_clip=None, **_):
    """Return the LSTM step after the pre-activations: (f, i, o, g, c) -> (h, c), or without i that of CIFG."""
    before, after = w.get("peephole_before", np.zeros(2 * H)), w.get("peephole_after", 0.0)

    def tail(f, i, o, g, c):
        if i is None:
            f = sigmoid(f + before[:H] * c)
            c = f * c + (1 - f) * tanh(g)
        else:
            c = sigmoid(f + before[:H] * c) * c + sigmoid(i + before[H:] * c) * tanh(g)
        c = c if clip is None else np.clip(c, -clip, clip)
        read = layer_normed(c, w["memory_norm.weight"], w["memory_norm.bias"]) if "memory_norm.weight" in w else c
        h = sigmoid(o + after * c) * tanh(read)
        h = h if projection is None else h @ projected(w).T
        return h if projection_clip is None else np.clip(h, -projection_clip, projection_clip), c

    return tail


def check_lstm(cell, equations):
    """From a state of zeros; what is clipped reaches its limit."""
    x_BTI = torch.randn(B, T, I, dtype=torch.float64)
    y_BTR, (_, c_BH) = cell(x_BTI, cell.initial_state(B))
    expected = over_time(equations, [np.zeros((B, cell.output_size)), np.zeros((B, H))], x_BTI.numpy())
    assert np.allclose(y_BTR.detach().numpy(), expected, rtol=1e-9, atol=1e-9)
    for values, limit in ((c_BH, cell.clip), (y_BTR, cell.projection_clip)):
        assert limit is None or values.abs().max() == limit


def sums(w, x, h):
    """W x + U h, each normalised where the cell has norms, else with a bias."""
    of_x, of_h = x @ w["input.weight"].T, h @ w["recurrent.weight"].T
    if "input_norm.weight" not in w:
        return of_x + w["input.bias"] + of_h
    of_x = layer_normed(of_x, w["input_norm.weight"], w["input_norm.bias"])
    return of_x + layer_normed(of_h, w["recurrent_norm.weight"])


@pytest.mark.parametrize("options", MEMORY)
@pytest.mark.parametrize("layer_norm", [True, False])
def test_lnlstm(layer_norm, options):
    cell = make(LNLSTMCell, layer_norm=layer_norm, **options)
    w = numbers(cell)
    assert ("input_norm.weight" in w) is layer_norm

    def equations(x, h, c):
        return lstm_tail(w, **options)(*np.split(sums(w, x, h), 4, 1), c)

    check_lstm(cell, equations)


@pytest.mark.parametrize("options", MEMORY)
@pytest.mark.parametrize("layer_norm", [True, False])
def test_cifg(layer_norm, options):
    cell = make(CIFGCell, layer_norm=layer_norm, **options)
    w = numbers(cell)
    assert ("input_norm.weight" in w) is layer_norm

    def equations(x, h, c):
        f, o, z = np.split(sums(w, x, h), 3, 1)
        return lstm_tail(w, **options)(f, None, o, z, c)

    check_lstm(cell, equations)


@pytest.mark.parametrize("options", MEMORY)
@pytest.mark.parametrize("weight_norm", [True, False])
def test_wnlstm(weight_norm, options):
    cell = make(WNLSTMCell, weight_norm=weight_norm, **options)
    w = numbers(cell)

    def matrix(name):
        if not weight_norm:
            return w[f"{name}.weight"]
        v = w[f"{name}.direction.weight"]
        return w[f"{name}.length"][:, None] * v / length_of(v)

    def equations(x, h, c):
        s = x @ matrix("input").T + h @ matrix("recurrent").T + w["bias"]
        return lstm_tail(w, lambda w: matrix("projection"), **options)(*np.split(s, 4, 1), c)

    check_lstm(cell, equations)


def test_wnlstm_starts_as_the_lstm_of_its_directions():
    """And does not depend on how long these are."""
    torch.manual_seed(0)
    cell, plain = WNLSTMCell(I, H).double(), WNLSTMCell(I, H, weight_norm=False).double()
    plain.load_state_dict(
        {"input.weight": cell.input.direction.weight, "recurrent.weight": cell.recurrent.direction.weight,
         "bias": cell.bias}
    )  # fmt: skip
    x_BTI = torch.randn(B, T, I, dtype=torch.float64)
    y_BTH, expected_BTH = (one(x_BTI, one.initial_state(B))[0] for one in (cell, plain))
    assert torch.allclose(y_BTH, expected_BTH, atol=1e-12)
    with torch.no_grad():
        cell.recurrent.direction.weight *= torch.rand(4 * H, 1) + 0.5
    assert torch.allclose(cell(x_BTI, cell.initial_state(B))[0], y_BTH, atol=1e-6)


@pytest.mark.parametrize("options", [*MEMORY, {"groups": 1}, {"groups": 3}, {"groups": 5, "projection": 6}])
def test_glstm_is_lstms_side_by_side(options):
    """Of 5 features and 7 units, no group of more than one has just its share."""
    cell = make(GLSTMCell, **options)
    w, groups, R = numbers(cell), options.get("groups", 2), cell.output_size
    of_x, of_h, units = (np.array_split(np.arange(n), groups) for n in (I, R, H))
    tail = lstm_tail(w, **{name: value for name, value in options.items() if name != "groups"})

    def equations(x, h, c):
        s = np.zeros((B, 4, H))
        for k in range(groups):
            own = x[:, of_x[k]] @ w[f"input.maps.{k}.weight"].T + h[:, of_h[k]] @ w[f"recurrent.maps.{k}.weight"].T
            s[:, :, units[k]] = own.reshape(B, 4, -1)
        return tail(*(s + w["bias"].reshape(4, H)).transpose(1, 0, 2), c)

    check_lstm(cell, equations)


def test_glstm_has_fewer_weights():
    n_weights = [sum(p.numel() for p in GLSTMCell(12, 12, groups=groups).parameters()) for groups in (1, 2, 4)]
    assert n_weights == [4 * (12 * 24 // groups + 12) for groups in (1, 2, 4)]
    assert len(GLSTMCell(5, 1).recurrent.maps) == len(GLSTMCell(1, 5).recurrent.maps) == 1


def test_indylstm():
    cell = make(IndyLSTMCell)
    w = numbers(cell)

    def equations(x, h, c):
        s = x @ w["input.weight"].T + w["input.bias"] + w["u"] * np.tile(h, 4)
        return lstm_tail({})(*np.split(s, 4, 1), c)

    check(cell, equations, 2)


def test_indygru():
    cell = make(IndyGRUCell)
    w = numbers(cell)
    (w_r, w_z, w_n), (b_r, b_z, b_n), (u_r, u_z) = (blocks(w[n]) for n in ("input.weight", "input.bias", "u_gates"))

    def equations(x, h):
        r = sigmoid(x @ w_r.T + u_r * h + b_r)
        z = sigmoid(x @ w_z.T + u_z * h + b_z)
        n = tanh(x @ w_n.T + w["u"] * (r * h) + b_n)
        return (z * h + (1 - z) * n,)

    check(cell, equations, 1)


def test_cfn():
    cell = make(CFNCell)
    w = numbers(cell)
    (v_t, v_e), (b_t, b_e), (u_t, u_e) = (blocks(w[n]) for n in ("gates.weight", "gates.bias", "recurrent.weight"))

    def equations(x, h):
        theta, eta = sigmoid(h @ u_t.T + x @ v_t.T + b_t), sigmoid(h @ u_e.T + x @ v_e.T + b_e)
        return (theta * tanh(h) + eta * tanh(x @ w["input.weight"].T),)

    check(cell, equations, 1)


def test_cfn_comes_to_rest_without_input():
    cell = make(CFNCell)
    x_BTI, h_BH = torch.zeros(B, 300, I, dtype=torch.float64), torch.randn(B, H, dtype=torch.float64)
    assert cell(x_BTI, h_BH)[0][:, -1].abs().max() < 0.1 * h_BH.abs().max()


@pytest.mark.parametrize(("activation", "act"), [("relu", relu), ("tanh", tanh)])
@pytest.mark.parametrize("input_size", [I, H])
def test_intersection(input_size, activation, act):
    """An input as wide as the state is what the gate through depth lets pass; another one is projected before."""
    torch.manual_seed(0)
    form = functools.partial(IntersectionCell, activation=activation)
    cell = make(form) if input_size == I else make(lambda _, H: form(H, H))
    w = numbers(cell)
    assert ("carry.weight" in w) == (input_size != H)
    w_h, w_y, w_new, w_out = blocks(w["input.weight"])
    u_h, u_y, u_new, u_out = blocks(w["recurrent.weight"])
    b_h, b_y, b_new, b_out = blocks(w["input.bias"])

    def equations(x, h):
        x = x @ w["carry.weight"].T + w["carry.bias"] if input_size != H else x
        g_h, g_y = sigmoid(x @ w_h.T + h @ u_h.T + b_h), sigmoid(x @ w_y.T + h @ u_y.T + b_y)
        y = g_y * x + (1 - g_y) * act(x @ w_out.T + h @ u_out.T + b_out)
        return y, g_h * h + (1 - g_h) * tanh(x @ w_new.T + h @ u_new.T + b_new)

    x_BTI, h, outputs = torch.randn(B, T, input_size, dtype=torch.float64), np.zeros((B, H)), []
    for x in x_BTI.numpy().transpose(1, 0, 2):
        y, h = equations(x, h)
        outputs.append(y)
    y_BTH, h_BH = cell(x_BTI, cell.initial_state(B))
    assert np.allclose(y_BTH.detach().numpy(), np.stack(outputs, 1), rtol=1e-9, atol=1e-9)
    assert np.allclose(h_BH.detach().numpy(), h, rtol=1e-9, atol=1e-9)


def time_gate(t, period, shift, ratio, leak):
    """As TensorFlow writes it."""
    phi = np.mod(t - shift, period) / period
    up = 2 * phi / ratio
    return np.where(phi < ratio / 2, up, np.where(phi < ratio, 2 - up, leak * phi))


PHASED = [{}, {"peepholes": True}, {"leak": 0.2, "ratio_on": 0.1}, {"period_min": 2.0, "period_max": 5.0}]


@pytest.mark.parametrize("options", PHASED)
def test_phased(options):
    cell = make(PhasedLSTMCell, **options)
    w = numbers(cell)
    tail, time = lstm_tail(w, **options), iter(range(T))

    def equations(x, h, c):
        s = x @ w["input.weight"].T + w["input.bias"] + h @ w["recurrent.weight"].T
        new_h, new_c = tail(*np.split(s, 4, 1), c)
        k = time_gate(
            next(time), np.exp(w["log_period"]), w["shift"], sigmoid(w["logit_ratio"]), options.get("leak", 0.001)
        )
        return k * new_h + (1 - k) * h, k * new_c + (1 - k) * c

    check(cell, equations, 2)


def test_the_clocks_of_a_phased_lstm():
    """The clocks start and advance as specified; each row has its own time."""
    torch.manual_seed(0)
    cell = PhasedLSTMCell(1, 900, ratio_on=0.25, period_min=2.0, period_max=50.0, leak=0.5).double()
    period = cell.log_period.exp()
    assert 1.99 < period.min() < 2.1 and 48 < period.max() < 50.01 and 0.45 < (period < 10).double().mean() < 0.55
    assert cell.shift.min() >= 0 and (cell.shift <= period).all() and 0.45 < (cell.shift / period).mean() < 0.55
    assert torch.allclose(torch.sigmoid(cell.logit_ratio), torch.tensor(0.25, dtype=torch.float64))
    cell = PhasedLSTMCell(I, H, ratio_on=0.25, leak=0.5).double()
    _, (_, _, t_B1) = cell(torch.randn(2, 3, I, dtype=torch.float64), cell.initial_state(2))
    assert t_B1.tolist() == [[3], [3]] and t_B1.dtype == torch.long
    with torch.no_grad():
        cell.log_period.fill_(np.log(8))
        cell.shift.fill_(0.5)
        k_BH = cell.gate(torch.tensor([[0], [1], [2], [3], [5], [9]])).numpy()
    expected = [0.5 * 7.5 / 8, 0.5, 0.5, 0.5 * 2.5 / 8, 0.5 * 4.5 / 8, 0.5]
    assert np.allclose(k_BH, np.array(expected)[:, None], atol=1e-6)


def test_a_fixed_share_of_the_period_is_no_parameter_to_learn():
    learned = {name for name, p in PhasedLSTMCell(I, H, learn_ratio=False).named_parameters() if p.requires_grad}
    assert "logit_ratio" not in learned and {"log_period", "shift"} <= learned
    assert PhasedLSTMCell(I, H).logit_ratio.requires_grad


def test_where_biases_start():
    def starts(bias, *expected):
        for block, value in zip(blocks(bias.detach().numpy()), expected, strict=False):
            assert (block == value).all()

    for form in (WNLSTMCell, GLSTMCell):
        starts(form(I, H).bias, 1, 0, 0, 0)
        starts(form(I, H, forget_bias=-2.0).bias, -2, 0, 0, 0)
    for form in (IndyLSTMCell, PhasedLSTMCell, CIFGCell, functools.partial(LNLSTMCell, layer_norm=False)):
        starts(form(I, H).input.bias, 1)
        starts(form(I, H, forget_bias=3.0).input.bias, 3)
    starts(CIFGCell(I, H, layer_norm=True, forget_bias=2.0).input_norm.bias, 2, 0, 0)
    for form in (IndyGRUCell, IntersectionCell):
        starts(form(I, H).input.bias, 1, 1)
        starts(form(I, H, gate_bias=0.5).input.bias, 0.5, 0.5)
    starts(CFNCell(I, H).gates.bias, 1, -1)
    starts(CFNCell(I, H, gate_bias=0.5).gates.bias, 0.5, -0.5)
    for u in (IndyLSTMCell(I, 500).u, IndyGRUCell(I, 500).u, IndyGRUCell(I, 500).u_gates):
        assert -1 <= u.min() < -0.95 and 0.95 < u.max() <= 1
    assert not any(peephole.any() for name, peephole in WNLSTMCell(I, H, peepholes=True).named_parameters()
                   if name.startswith("peephole"))  # fmt: skip


ALL = {"peepholes": True, "clip": 0.5, "projection": 4, "projection_clip": 0.4}
FORMS = [
    ("wnlstm", WNLSTMCell, [{}, ALL]),
    ("glstm", GLSTMCell, [{}, ALL]),
    ("lnlstm", LNLSTMCell, [ALL, {"layer_norm": False}]),
    ("cifg", CIFGCell, [ALL, {**ALL, "layer_norm": True}]),
    ("phased", PhasedLSTMCell, [{"peepholes": True, "leak": 0.1, "ratio_on": 0.2}, {"learn_ratio": False}]),
    ("intersection", IntersectionCell, [{}, {"activation": "tanh"}]),
    ("indylstm", IndyLSTMCell, [{}]),
    ("indygru", IndyGRUCell, [{}]),
    ("cfn", CFNCell, [{"gate_bias": 0.0}]),
]
FORMS = [pytest.param(name, form, options, id=f"{name} {options}") for name, form, many in FORMS for options in many]


@pytest.mark.parametrize(("name", "form", "options"), FORMS)
def test_gradients_against_finite_differences(name, form, options):
    """Of the input and of every parameter."""
    cell = make(form, **options)
    x_BTI = torch.randn(2, 4, I, dtype=torch.float64, requires_grad=True)
    learned = [parameter for parameter in cell.parameters() if parameter.requires_grad]
    assert torch.autograd.gradcheck(lambda x, *_: cell(x, cell.initial_state(2))[0], (x_BTI, *learned), fast_mode=True)


@pytest.mark.full
@pytest.mark.parametrize(("name", "form", "options"), FORMS)
def test_the_contract_with_options(name, form, options):
    torch.manual_seed(0)
    specs = []
    seqgen_gated.register_cells(specs.append)
    testing.check_cell(next(spec for spec in specs if spec.name == name), **options)


@pytest.mark.parametrize(
    ("cell", "options", "complaint"),
    [
        ("glstm", {"groups": 0}, "groups"),
        (
            "glstm",
            {"groups": 9},
            "cannot split 8 input features, 16 units and 16 output features into 9 groups: set groups",
        ),
        ("glstm", {"groups": 4, "projection": 3}, "into 4 groups: set groups to at most 3"),
        ("wnlstm", {"projection_clip": 1.0}, "projection_clip=1.0 needs a projection: set projection as well"),
        ("lstm", {"projection_clip": 1.0}, "set projection as well"),
        ("lnlstm", {"clip": 0.0}, "clip"),
        ("cifg", {"projection": 0}, "projection"),
        ("phased", {"ratio_on": 1.0}, "ratio_on"),
        ("phased", {"leak": -0.1}, "leak"),
        ("phased", {"period_min": 5.0, "period_max": 2.0}, "period_min=5.0 must not be above period_max=2.0"),
        ("phased", {"projection": 3}, "no option 'projection'"),
        ("indylstm", {"clip": 1.0}, "no option 'clip'"),
        ("intersection", {"activation": "sine"}, "activation"),
    ],
)
def test_impossible_options_are_refused(cell, options, complaint, words, tmp_path):
    with pytest.raises(seqgen.BadOption, match=complaint):
        seqgen.train(
            words, cell=cell, hidden=16, embedding=8, steps=1, out=tmp_path / "run",
            options={f"cell.{name}": value for name, value in options.items()},
        )  # fmt: skip
