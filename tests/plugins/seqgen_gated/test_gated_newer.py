"""The sequential cells since 2016, each against its equations, written plainly in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import seqgen
from equations import B, H, I, T, blocks, check, make, numbers, sigmoid, tanh
from seqgen import testing
from seqgen.cells import describe_engine

pytest.importorskip("seqgen_gated")
import seqgen_gated
from seqgen_gated.fastgrnn import FastGRNNCell
from seqgen_gated.janet import JANETCell
from seqgen_gated.mgu import MGUCell
from seqgen_gated.mogrifier import MogrifierCell
from seqgen_gated.mulstm import MuLSTMCell
from seqgen_gated.rhn import RHNCell
from seqgen_gated.slstm import SLSTMCell


def matrix(linear):
    """Of a linear map without a bias, or of several in a row."""
    if isinstance(linear, nn.Sequential):
        left, right = linear[1].weight, linear[0].weight
        return (left @ right).detach().numpy()
    return linear.weight.detach().numpy()


def lstm(gates, c):
    f, i, o, g = np.split(gates, 4, 1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


@pytest.mark.parametrize("options", [{}, {"rounds": 1}, {"rounds": 2}, {"rounds": 4, "rank": 2}, {"rank": 3}])
def test_mogrifier(options):
    cell = make(MogrifierCell, **options)
    w = numbers(cell)
    between = [matrix(linear) for linear in cell.rounds]
    assert len(between) == options.get("rounds", 5)
    w_x, u_h = w["recurrent.weight"][:, :I], w["recurrent.weight"][:, I:]

    def equations(x, h, c):
        xs, hs = {-1: x}, {0: h}
        for i, q_or_r in enumerate(between, 1):
            if i % 2:
                xs[i] = 2 * sigmoid(hs[i - 1] @ q_or_r.T) * xs[i - 2]
            else:
                hs[i] = 2 * sigmoid(xs[i - 1] @ q_or_r.T) * hs[i - 2]
        return lstm(xs[max(xs)] @ w_x.T + hs[max(hs)] @ u_h.T + w["recurrent.bias"], c)

    check(cell, equations, 2)


def test_the_rank_of_the_mogrifier_costs_fewer_parameters():
    full, low = (sum(p.numel() for p in MogrifierCell(I, H, rank=rank).rounds.parameters()) for rank in (None, 2))
    assert (full, low) == (5 * I * H, 5 * 2 * (I + H))


def test_mulstm():
    cell = make(MuLSTMCell)
    w = numbers(cell)

    def equations(x, h, c):
        m = (x @ w["factor.weight"].T) * (h @ w["multiplied.weight"].T)
        return lstm(x @ w["input.weight"].T + w["input.bias"] + m @ w["recurrent.weight"].T, c)

    check(cell, equations, 2)


@pytest.mark.parametrize(
    "options", [{}, {"input_rank": 2}, {"recurrent_rank": 3}, {"input_rank": 3, "recurrent_rank": 2, "zeta": -1.0}]
)
def test_fastgrnn(options):
    cell = make(FastGRNNCell, **options)
    w, w_x, u = numbers(cell), matrix(cell.input), matrix(cell.recurrent)

    def equations(x, h):
        both = x @ w_x.T + h @ u.T
        z, new = sigmoid(both + w["gate_bias"]), tanh(both + w["update_bias"])
        return ((sigmoid(w["zeta"]) * (1 - z) + sigmoid(w["nu"])) * new + z * h,)

    check(cell, equations, 1)


def test_mgu():
    cell = make(MGUCell)
    w = numbers(cell)
    (w_f, w_h), (b_f, b_h) = blocks(w["input.weight"]), blocks(w["input.bias"])

    def equations(x, h):
        f = sigmoid(x @ w_f.T + h @ w["gate.weight"].T + b_f)
        return ((1 - f) * h + f * tanh(x @ w_h.T + (f * h) @ w["candidate.weight"].T + b_h),)

    check(cell, equations, 1)


@pytest.mark.parametrize("options", [{}, {"beta": 0.0}, {"beta": 2.5, "t_max": 20.0}])
def test_janet(options):
    cell = make(JANETCell, **options)
    w, beta = numbers(cell), options.get("beta", 1.0)
    (w_s, w_c), (u_s, u_c), (b_s, b_c) = (blocks(w[n]) for n in ("input.weight", "recurrent.weight", "input.bias"))

    def equations(x, h):
        s = x @ w_s.T + h @ u_s.T + b_s
        return (sigmoid(s) * h + (1 - sigmoid(s - beta)) * tanh(x @ w_c.T + h @ u_c.T + b_c),)

    check(cell, equations, 1)


@pytest.mark.parametrize("depth", [1, 3, 4])
def test_rhn(depth):
    cell = make(RHNCell, depth=depth)
    w = numbers(cell)

    def equations(x, h):
        s = h
        for layer in range(depth):
            inner = s @ w[f"layers.{layer}.weight"].T
            inner += w[f"layers.{layer}.bias"] if layer else x @ w["input.weight"].T + w["input.bias"]
            new, t = tanh(inner[:, :H]), sigmoid(inner[:, H:])
            s = new * t + s * (1 - t)
        return (s,)

    assert len(cell.layers) == depth
    check(cell, equations, 1)


# -- sLSTM


def log_forget(f, gate):
    return f if gate == "exp" else np.log(sigmoid(f))


def slstm_gates(cell):
    """The pre-activations of the gates i, f, z and o, each (B, H), of x and h."""
    w, n_heads = numbers(cell), len(cell.heads)
    size = cell.hidden_size // n_heads
    r = np.zeros((4, cell.hidden_size, cell.hidden_size))
    for head in range(n_heads):
        at = slice(head * size, (head + 1) * size)
        r[:, at, at] = w[f"heads.{head}.weight"].reshape(4, size, size)
    r = r.reshape(-1, cell.hidden_size)
    return lambda x, h: np.split(x @ w["input.weight"].T + w["input.bias"] + h @ r.T, 4, 1)


def plain(cell, gate):
    """The equations with nothing stabilised: exponentials as they are."""
    gates = slstm_gates(cell)

    def equations(x, h, c, n):
        i, f, z, o = gates(x, h)
        i, f = np.exp(i), np.exp(log_forget(f, gate))
        c, n = f * c + i * tanh(z), f * n + i
        return sigmoid(o) * c / n, c, n

    return equations


def stabilised(cell, gate):
    """The equations with the stabiliser of the paper, the larger exponent."""
    gates = slstm_gates(cell)

    def equations(x, h, c, n, m):
        i, f, z, o = gates(x, h)
        log_f = log_forget(f, gate)
        m, before = np.maximum(log_f + m, i), m
        i, f = np.exp(i - m), np.exp(log_f + before - m)
        c, n = f * c + i * tanh(z), f * n + i
        return sigmoid(o) * c / n, c, n, m

    return equations


SLSTM = [{}, {"forget_gate": "exp"}, {"heads": H}, {"heads": H, "forget_gate": "exp"}]


@pytest.mark.parametrize("options", SLSTM)
@pytest.mark.parametrize(("form", "leaves"), [(plain, 3), (stabilised, 4)])
def test_slstm(options, form, leaves):
    cell = make(SLSTMCell, **options)
    check(cell, form(cell, options.get("forget_gate", "sigmoid")), leaves)


def test_the_heads_of_slstm_are_blocks():
    torch.manual_seed(0)
    cell = SLSTMCell(I, 6, heads=2).double()
    x_BTI = torch.randn(B, T, I, dtype=torch.float64)
    step, state = plain(cell, "sigmoid"), [np.zeros((B, 6))] * 3
    y_BTH, _ = cell(x_BTI, cell.initial_state(B))
    for t in range(T):
        state = step(x_BTI[:, t].numpy(), *state)
        assert np.allclose(y_BTH[:, t].detach().numpy(), state[0], rtol=1e-9, atol=1e-9)
    before = torch.randn(B, 6, dtype=torch.float64, requires_grad=True)
    y_BH, _ = cell.step(cell.project(x_BTI)[:, 0], (before, *cell.initial_state(B)[1:]))
    (gradient_BH,) = torch.autograd.grad(y_BH[:, :3].sum(), before)
    assert gradient_BH[:, :3].any() and not gradient_BH[:, 3:].any()


@pytest.mark.parametrize("gate", ["sigmoid", "exp"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [100.0, 3000.0])
def test_huge_gates_stay_finite(gate, dtype, scale):
    """Stay finite where plain exponentials overflow or vanish; outputs are weighted means of values in (-1, 1)."""
    torch.manual_seed(0)
    cell = SLSTMCell(I, H, forget_gate=gate).to(dtype)
    with torch.no_grad():
        cell.input.weight *= scale
    x_BTI = torch.randn(B, 50, I, dtype=dtype, requires_grad=True)
    assert cell.project(x_BTI).float().exp().isinf().any()
    y_BTH, state = cell(x_BTI, cell.initial_state(B))
    y_BTH.square().sum().backward()
    assert y_BTH.abs().max() <= 1
    found = [y_BTH, *state, x_BTI.grad, *(parameter.grad for parameter in cell.parameters())]
    assert all(tensor.isfinite().all() for tensor in found)


@pytest.mark.parametrize("of_input", [-900.0, 0.0, 900.0])
def test_what_is_written_first_is_the_whole_memory(of_input):
    """However small its gate: nothing was there before."""
    cell = SLSTMCell(I, H)
    with torch.no_grad():
        cell.input.bias[:H] = of_input
    x_B1I = torch.randn(B, 1, I)
    _, _, z_BH, o_BH = cell.project(x_B1I)[:, 0].chunk(4, 1)
    y_B1H, (h_BH, c_BH, _) = cell(x_B1I, cell.initial_state(B))
    assert torch.allclose(c_BH, torch.tanh(z_BH)) and torch.equal(h_BH, y_B1H[:, 0])
    assert torch.allclose(h_BH, torch.sigmoid(o_BH) * torch.tanh(z_BH))


@pytest.mark.parametrize("gate", ["sigmoid", "exp"])
def test_a_forget_gate_may_be_far_from_zero(gate):
    """The logarithm of a sigmoid is exact on both sides, where that of the rounded sigmoid is infinite, or 0."""
    cell = SLSTMCell(1, 1, forget_gate=gate).double()
    p_BP = torch.zeros(3, 4, dtype=torch.float64)
    p_BP[:, 1] = torch.tensor([-800.0, -45.0, 45.0])
    zeros = torch.zeros(3, 1, dtype=torch.float64)
    _, (_, _, m_BH) = cell.step(p_BP, (zeros, zeros, zeros))
    forget = [-800.0, -45.0, 45.0 if gate == "exp" else -np.exp(-45.0)]
    assert np.allclose(m_BH.detach().numpy()[:, 0], np.logaddexp(forget, 0), rtol=1e-12)


# -- all of them


def test_where_biases_start():
    for form, bias in (
        (MogrifierCell, lambda cell: cell.recurrent.bias[:H]),
        (MuLSTMCell, lambda cell: cell.input.bias[:H]),
        (SLSTMCell, lambda cell: cell.input.bias[H : 2 * H]),
    ):
        assert torch.equal(bias(form(I, H)), torch.ones(H))
        assert torch.equal(bias(form(I, H, forget_bias=-2.0)), torch.full((H,), -2.0))
    cell = FastGRNNCell(I, H)
    assert torch.equal(cell.gate_bias, torch.ones(H)) and torch.equal(cell.update_bias, torch.ones(H))
    assert (cell.zeta.item(), cell.nu.item()) == (1, -4)
    cell = FastGRNNCell(I, H, zeta=0.5, nu=-2.0)
    assert (cell.zeta.item(), cell.nu.item()) == (0.5, -2)
    for depth in (1, 3):
        cell = RHNCell(I, H, depth=depth, gate_bias=-3.0)
        biases = [cell.input.bias, *(layer.bias for layer in cell.layers[1:])]
        assert len(biases) == depth and all(torch.equal(bias[H:], torch.full((H,), -3.0)) for bias in biases)
        assert cell.layers[0].bias is None


def test_the_chrono_start_of_janet():
    assert torch.equal(JANETCell(I, H).input.bias[:H], torch.ones(H))
    torch.manual_seed(0)
    times = JANETCell(I, 1000, t_max=101.0).input.bias[:1000].exp()
    assert 1 <= times.min() < 2 and 99 < times.max() < 100.001
    assert times.mean().item() == pytest.approx(50.5, abs=4)
    assert torch.equal(JANETCell(I, H, t_max=2.0).input.bias[:H], torch.zeros(H))


FORMS = [
    (MogrifierCell, {}),
    (MogrifierCell, {"rounds": 2, "rank": 2}),
    (MuLSTMCell, {}),
    (FastGRNNCell, {}),
    (FastGRNNCell, {"input_rank": 1, "recurrent_rank": 2}),
    (MGUCell, {}),
    (JANETCell, {}),
    (RHNCell, {}),
    (RHNCell, {"depth": 1}),
    (SLSTMCell, {}),
    (SLSTMCell, {"forget_gate": "exp", "heads": 3}),
]


@pytest.mark.parametrize(("form", "options"), FORMS)
def test_gradients_against_finite_differences(form, options):
    torch.manual_seed(0)
    cell = form(2, 3, **options).double()
    cell.engine = "scan"
    x_BTI = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    inputs = (x_BTI, *cell.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: cell(x, cell.initial_state(2))[0], inputs)
    assert "by its traced step" in describe_engine(nn.ModuleList([cell]))


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mogrifier", {"rounds": 3, "rank": 2}),
        ("mulstm", {"forget_bias": 0.0}),
        ("fastgrnn", {"input_rank": 2, "recurrent_rank": 3, "zeta": 0.0, "nu": 0.0}),
        ("janet", {"beta": 0.0, "t_max": 30}),
        ("rhn", {"depth": 2, "gate_bias": 0.0}),
        ("slstm", {"forget_gate": "exp", "forget_bias": 0.0}),
    ],
)
def test_the_contract_with_options(name, options):
    torch.manual_seed(0)
    specs = []
    seqgen_gated.register_cells(specs.append)
    testing.check_cell(next(spec for spec in specs if spec.name == name), **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mogrifier", {"rounds": 0}),
        ("mogrifier", {"rank": 0}),
        ("fastgrnn", {"input_rank": 0}),
        ("fastgrnn", {"recurrent_rank": -1}),
        ("janet", {"beta": -0.5}),
        ("janet", {"t_max": 1.9}),
        ("rhn", {"depth": 0}),
        ("slstm", {"heads": 0}),
        ("slstm", {"forget_gate": "tanh"}),
        ("mgu", {"depth": 1}),
    ],
)
def test_impossible_options_are_refused(plugins, name, options):
    with pytest.raises(seqgen.BadOption, match=next(iter(options))):
        plugins.registry.get("cell", name).build(options, I, H)


def test_heads_that_do_not_divide_the_units_are_refused(words, tmp_path):
    with pytest.raises(seqgen.BadOption, match="cannot split 8 units into 3 heads: set heads to a divisor of 8"):
        seqgen.train(words, cell="slstm", hidden=8, steps=1, out=tmp_path / "run", options={"cell.heads": 3})
    run = seqgen.train(words, cell="slstm", params=20_000, steps=1, out=tmp_path / "fits", options={"cell.heads": 3})
    assert run.settings.model.options["hidden"] % 3 == 0
