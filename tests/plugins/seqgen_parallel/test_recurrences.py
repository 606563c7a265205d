"""The cells after SRU against their equations, written plainly in NumPy: whole sequences, and one step at a time.

Dimension letters: B batch, T steps, I input, H output.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import seqgen
from conftest import registered
from equations import B, H, I, T, layer_normed, make, numbers, relu, sigmoid, tanh
from over_time import results

pytest.importorskip("seqgen_parallel")
from seqgen import testing
from seqgen.cells.cell import drawing_masks
from seqgen.cells.linear_scan import choose_chunk
from seqgen.cells.linear_scan import solve as solve_chunks
from seqgen.states import list_leaves, map_state
from seqgen_parallel.gilr import GILRCell
from seqgen_parallel.gilrlstm import GILRLSTMCell
from seqgen_parallel.hgrn import HGRNCell
from seqgen_parallel.lru import LRUCell
from seqgen_parallel.mamba import MambaCell
from seqgen_parallel.matrix_memory import run_chunk
from seqgen_parallel.mlp import MLPCell
from seqgen_parallel.mlstm import MLSTMCell
from seqgen_parallel.qrnn import QRNNCell
from seqgen_parallel.rglru import RGLRUCell
from seqgen_parallel.s5 import S5Cell, hippo_frequencies

erf = np.vectorize(math.erf)


def silu(a):
    return a * sigmoid(a)


def gelu(a):
    return a * (1 + erf(a / math.sqrt(2))) / 2


def softplus(a):
    return np.log1p(np.exp(a))


def windows(past, x, kernel):
    """The last inputs and this one, (B, kernel, features), and what is left of them for the next step."""
    seen = np.concatenate([past, x[:, None]], 1)
    assert seen.shape[1] == kernel
    return seen, seen[:, 1:]


# -- the equations: of the parameters by name, one input (B, I) and a state, they give an output and the next state


def gilr(w, cell, x, h, act=tanh):
    gate, impulse = np.split(x @ w["input.weight"].T + w["input.bias"], 2, 1)
    g = sigmoid(gate)
    h = g * h + (1 - g) * act(impulse)
    return h, h


def gilrlstm(w, cell, x, state):
    s, c = state
    f, i, o, z = np.split(x @ w["input.weight"].T + w["input.bias"] + s @ w["recurrent.weight"].T, 4, 1)
    gate, impulse = np.split(x @ w["surrogate.weight"].T + w["surrogate.bias"], 2, 1)
    s = sigmoid(gate) * s + (1 - sigmoid(gate)) * tanh(impulse)
    c = sigmoid(f) * c + sigmoid(i) * tanh(z)
    return sigmoid(o) * c, (s, c)


def qrnn(w, cell, x, state):
    past, c = state
    seen, past = windows(past, x, cell.kernel)
    weight = w["input.weight"].reshape(-1, cell.kernel, I)  # the bank W^1 .. W^k
    z, f, *others = np.split(np.einsum("bki,oki->bo", seen, weight) + w["input.bias"], len(weight) // H, 1)
    f = sigmoid(f)
    i = sigmoid(others[1]) if cell.pooling == "ifo" else 1 - f
    c = f * c + i * tanh(z)
    return (sigmoid(others[0]) * c if others else c), (past, c)


def hgrn(w, cell, x, state):
    h = state[:, :H] + 1j * state[:, H:]
    re, im, mu, g_re, g_im = np.split(x @ w["input.weight"].T + w["input.bias"], 5, 1)
    gamma = cell.lower_bound
    decay = gamma + (1 - gamma) * sigmoid(mu)
    h = decay * np.exp(1j * w["theta"]) * h + (1 - decay) * (silu(re) + 1j * silu(im))
    state = np.concatenate([h.real, h.imag], 1)
    gated = state * sigmoid(np.concatenate([g_re, g_im], 1))
    inner = layer_normed(gated, w["norm.weight"], w["norm.bias"])
    return inner @ w["output.weight"].T + w["output.bias"], state


def complex_parts(w, n):
    """B (n, I), C (H, n) and D (H, I) of a diagonal recurrence; C times any factor that it is kept with."""
    b_re, b_im, d = np.split(w["input.weight"], [n, 2 * n])
    c_re, c_im = np.split(w["output.weight"], 2, 1)
    return b_re + 1j * b_im, c_re - 1j * c_im, d


def lru(w, cell, x, state):
    n = cell.states
    b, c, d = complex_parts(w, n)
    eigenvalues = np.exp(-np.exp(w["nu"]) + 1j * np.exp(w["theta"]))
    h = eigenvalues * (state[:, :n] + 1j * state[:, n:]) + np.exp(w["gamma"]) * (x @ b.T)
    y = gelu((h @ c.T).real + x @ d.T)
    one, two = np.split(y @ w["glu.weight"].T + w["glu.bias"], 2, 1)
    return one * sigmoid(two), np.concatenate([h.real, h.imag], 1)


def s5(w, cell, x, state):
    n = cell.states
    b, c, d = complex_parts(w, n)
    continuous = np.minimum(w["real"], -1e-4) + 1j * w["imaginary"]
    eigenvalues = np.exp(continuous * np.exp(w["log_step"]))
    h = eigenvalues * (state[:, :n] + 1j * state[:, n:]) + (eigenvalues - 1) / continuous * (x @ b.T)
    y = gelu((h @ c.T).real + x @ d.T)
    return y * sigmoid(y @ w["gate.weight"].T + w["gate.bias"]), np.concatenate([h.real, h.imag], 1)


def rglru(w, cell, x, state):
    past, h = state
    u, branch = np.split(x @ w["input.weight"].T + w["input.bias"], 2, 1)
    seen, past = windows(past, u, len(w["convolution.weight"]))
    u = (seen * w["convolution.weight"]).sum(1) + w["convolution.bias"]
    r, i = np.split(sigmoid(u @ w["gates.weight"].T + w["gates.bias"]), 2, 1)
    a = (1 / (1 + np.exp(w["decay"]))) ** (8 * r)
    h = a * h + np.sqrt(1 - a**2) * (i * u)
    return (gelu(branch) * h) @ w["output.weight"].T + w["output.bias"], (past, h)


def mamba(w, cell, x, state):
    past, h = state
    x, z = np.split(x @ w["input.weight"].T, 2, 1)
    seen, past = windows(past, x, len(w["convolution.weight"]))
    x = silu((seen * w["convolution.weight"]).sum(1) + w["convolution.bias"])
    rank, n, _ = cell.sizes
    d, b, c = np.split(x @ w["select.weight"].T, [rank, rank + n], 1)
    delta = softplus(d @ w["step_size.weight"].T + w["step_size.bias"])
    h = np.exp(-delta[..., None] * np.exp(w["log_a"])) * h + (delta * x)[..., None] * b[:, None]
    y = np.einsum("ben,bn->be", h, c) + w["d"] * x
    return (y * silu(z)) @ w["output.weight"].T, (past, h)


def mlstm(w, cell, x, state):
    past, (memory, n, m) = state
    heads, d, _ = w["value"].shape
    x, z = np.split(x @ w["input.weight"].T, 2, 1)
    seen, past = windows(past, x, len(w["convolution.weight"]))
    skip = silu((seen * w["convolution.weight"]).sum(1) + w["convolution.bias"])
    q, k = np.split(np.einsum("bad,ade->bae", skip.reshape(B, heads, d), w["query_key"]), 2, 2)
    v = np.einsum("bad,ade->bae", x.reshape(B, heads, d), w["value"])
    qkv = np.concatenate([part.reshape(B, -1) for part in (q, k, v)], 1)
    i, f = np.split(qkv @ w["gates.weight"].T + w["gates.bias"], 2, 1)
    k = k / math.sqrt(d)
    forget = np.log(sigmoid(f))
    after = np.maximum(forget + m, i)
    keep, write = np.exp(forget + m - after), np.exp(i - after)
    memory = keep[..., None, None] * memory + write[..., None, None] * k[..., :, None] * v[..., None, :]
    n = keep[..., None] * n + write[..., None] * k
    seen = np.einsum("bad,bad->ba", n, q)
    h = np.einsum("bade,bad->bae", memory, q) / (np.maximum(np.abs(seen), np.exp(-after)) + 1e-6)[..., None]
    inner = layer_normed(h).reshape(B, -1) * w["gain"] + w["skip"] * skip
    return (inner * silu(z)) @ w["output.weight"].T, (past, (memory, n, after))


def mlp(w, cell, x, state):
    gate, value = np.split(x @ w["input.weight"].T, 2, 1)
    act = gelu if cell.activation is torch.nn.functional.gelu else silu
    return (act(gate) * value) @ w["output.weight"].T, state


CELLS = {
    GILRCell: (gilr, []),
    GILRLSTMCell: (gilrlstm, []),
    QRNNCell: (qrnn, [{"kernel": 1}, {"kernel": 3, "pooling": "ifo"}, {"pooling": "f"}, {"kernel": 12}]),
    HGRNCell: (hgrn, [{"lower_bound": 0.6}]),
    LRUCell: (lru, [{"states": 5, "r_min": 0.4, "r_max": 0.9, "max_phase": 0.5}]),
    S5Cell: (s5, [{"states": 5, "step_min": 0.05, "step_max": 2.0}]),
    RGLRUCell: (rglru, [{"expand": 1.5, "kernel": 2}, {"kernel": 12}]),
    MambaCell: (mamba, [{"expand": 1.0, "states": 3, "kernel": 2, "rank": 2}, {"kernel": 12}]),
    MLPCell: (mlp, [{"expand": 1.5, "activation": "gelu"}]),
    MLSTMCell: (mlstm, [{"heads": 7, "kernel": 2}, {"expand": 3.0, "heads": 3}]),
}
ALL = [
    pytest.param(form, options, id=" ".join([form.__name__, *(f"{key}={value}" for key, value in options.items())]))
    for form, (_, more) in CELLS.items()
    for options in ({}, *more)
]


def begin(cell, zero):
    """A state to begin with; any state that a memory may have is allowed, so all leaves are random, or zero."""
    state = cell.initial_state(B)
    return state if zero else map_state(lambda leaf: torch.randn_like(leaf), state)


@pytest.mark.parametrize("zero", [True, False], ids=["from zero", "from anywhere"])
@pytest.mark.parametrize(("form", "options"), ALL)
def test_equations(form, options, zero):
    cell, (equations, _) = make(form, **options), CELLS[form]
    state, x_BTI = begin(cell, zero), torch.randn(B, T, I, dtype=torch.float64)
    y_BTH, end = cell(x_BTI, state)
    now, one = map_state(lambda leaf: leaf.detach().numpy(), state), state
    for t in range(T):
        expected, now = equations(numbers(cell), cell, x_BTI[:, t].numpy(), now)
        y_B1H, one = cell(x_BTI[:, t : t + 1], one)
        for y_BH in (y_BTH[:, t], y_B1H[:, 0]):
            assert np.allclose(y_BH.detach().numpy(), expected, rtol=1e-9, atol=1e-9), f"step {t}"
    for after in (end, one):
        for leaf, expected in zip(list_leaves(after), flat(now), strict=True):
            assert np.allclose(leaf.detach().numpy(), expected, rtol=1e-9, atol=1e-9)


def flat(state):
    """The arrays of a nested state."""
    return [state] if isinstance(state, np.ndarray) else [leaf for part in state for leaf in flat(part)]


@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_the_impulse_of_a_gilr_has_any_activation(activation):
    cell, act = make(GILRCell, activation=activation), {"tanh": tanh, "relu": relu, "linear": lambda a: a}[activation]
    x_BTI, h = torch.randn(B, T, I, dtype=torch.float64), np.zeros((B, H))
    y_BTH, _ = cell(x_BTI, cell.initial_state(B))
    for t in range(T):
        _, h = gilr(numbers(cell), cell, x_BTI[:, t].numpy(), h, act)
        assert np.allclose(y_BTH[:, t].detach().numpy(), h, rtol=1e-9, atol=1e-9)


# -- derivatives


@pytest.mark.parametrize("form", CELLS)
def test_gradients_against_finite_differences(form):
    options = {"states": 2} if form in (LRUCell, S5Cell, MambaCell) else {}
    torch.manual_seed(0)
    cell = form(2, 3, **options).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    template = cell.initial_state(2)
    leaves = [torch.randn_like(leaf).requires_grad_() for leaf in list_leaves(template)]
    x_BTI = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)

    def run(x, *rest):
        given = iter(rest)
        y, end = cell(x, map_state(lambda _: next(given), template))
        # What scales the memory of an mLSTM counts as constant: what comes out does not depend on it.
        return (y,) if form is MLSTMCell else (y, *list_leaves(end))

    given = x_BTI, *leaves, *cell.parameters()
    assert torch.autograd.gradcheck(run, given, fast_mode=True)


STEPPED = [form for form in CELLS if issubclass(form, seqgen.StepCell)]


@pytest.mark.parametrize("T", [2, 9, 150])
@pytest.mark.parametrize("form", STEPPED)
def test_both_forms_have_the_same_gradients(form, T):
    """Those of outputs, last state, input, first state and parameters; long sequences go by chunks."""
    cell = make(form)
    x_BTI = torch.randn(2, T, I, dtype=torch.float64)
    expected = results(cell, "eager", x_BTI)
    for name, found in results(cell, "fused", x_BTI).items():
        assert (found - expected[name]).abs().max() <= 1e-9 * (1 + expected[name].abs().max()), name


@pytest.mark.parametrize("chunk", [2, 3, 7, 20])
def test_a_complex_recurrence_by_chunks(chunk):
    torch.manual_seed(0)
    a, b = (torch.randn(20, 3, 2, dtype=torch.complex128) for _ in range(2))
    h = torch.randn(3, 2, dtype=torch.complex128)
    expected, now = [], h
    for t in range(20):
        now = a[t] * now + b[t]
        expected.append(now)
    assert torch.allclose(solve_chunks(a, b, h, chunk), torch.stack(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("T", [1, 5, 70])
def test_the_derivative_of_a_complex_recurrence(T):
    """Step by step, and by chunks."""
    torch.manual_seed(0)
    a, b = (torch.randn(2, T, 3, dtype=torch.complex128) / 2 for _ in range(2))
    given = a.requires_grad_(), b.requires_grad_(), torch.randn(2, 3, dtype=torch.complex128, requires_grad=True)
    assert (choose_chunk(a.transpose(0, 1)) < T) == (T == 70)
    if T < 70:
        assert torch.autograd.gradcheck(seqgen.linear_scan, given)
    weights = torch.randn(2, T, 3, dtype=torch.complex128)
    found = torch.autograd.grad((seqgen.linear_scan(*given) * weights).sum().real, given)
    now, outputs = given[2], []
    for t in range(T):
        now = given[0][:, t] * now + given[1][:, t]
        outputs.append(now)
    expected = torch.autograd.grad((torch.stack(outputs, 1) * weights).sum().real, given)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)


# -- what holds of each by itself


def test_a_qrnn_sees_so_many_inputs():
    cell = make(QRNNCell, kernel=3)
    with torch.no_grad():
        cell.input.bias[H : 2 * H] = -1e9  # nothing is remembered: what shows is the convolution
    x_BTI = torch.randn(1, 6, I, dtype=torch.float64)
    plain, _ = cell(x_BTI, cell.initial_state(1))
    x_BTI[:, 1] += 1
    changed, _ = cell(x_BTI, cell.initial_state(1))
    assert (plain != changed).any(2).tolist() == [[False, True, True, True, False, False]]


def test_zoneout_of_a_qrnn_draws_nothing_for_padding():
    cell = make(QRNNCell, zoneout=0.5).train()
    x, found = torch.randn(B, T, I, dtype=torch.float64), []
    for padded in (x, torch.cat((x, torch.zeros_like(x)), 1)):
        torch.manual_seed(0)
        with drawing_masks(T):
            y, _ = cell(padded, cell.initial_state(B))
        found.append((y[:, :T], torch.rand(3)))
    assert all(torch.allclose(one, other, atol=1e-12) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("pooling", ["f", "ifo"])
def test_zoneout_of_a_qrnn_keeps_features(pooling):
    """While training a feature of c keeps its value exactly; in evaluation mode the forget gate has its mean."""
    cell = make(QRNNCell, kernel=1, pooling=pooling, zoneout=0.4)
    with torch.no_grad():
        cell.input.bias[-H:] = -1e9  # of ifo: nothing is written; of f: nothing is kept
    x_B1I = torch.randn(4000, 1, I, dtype=torch.float64)
    state = cell.initial_state(4000)[0], torch.ones(4000, H, dtype=torch.float64)
    gates = torch.sigmoid(cell.input(x_B1I)[:, 0, H : 2 * H])
    _, (_, c_BH) = cell.train()(x_B1I, state)
    kept = c_BH == 1
    assert kept.double().mean().item() == pytest.approx(0.4, abs=0.02)
    cell.eval()
    _, (_, mean_BH) = cell(x_B1I, state)
    f_BH = 0.4 + 0.6 * gates
    z_BH = torch.tanh(cell.input(x_B1I)[:, 0, :H])
    assert torch.allclose(mean_BH, f_BH if pooling == "ifo" else f_BH + (1 - f_BH) * z_BH)


def test_hgrn_keeps_at_least_its_lower_bound():
    cell = make(HGRNCell, lower_bound=0.75)
    kept = cell.project(100 * torch.randn(5, 9, I, dtype=torch.float64))[..., :H]
    assert 0.75 <= kept.min() < 0.76 and 0.99 < kept.max() <= 1


def test_where_the_eigenvalues_of_an_lru_start():
    torch.manual_seed(0)
    cell = LRUCell(3, 4, states=4000, r_min=0.6, r_max=0.8, max_phase=1.0)
    radius, angle = torch.exp(-torch.exp(cell.nu)), torch.exp(cell.theta)
    assert 0.6 <= radius.min() < 0.61 and 0.79 < radius.max() <= 0.8
    assert (radius**2).mean().item() == pytest.approx((0.6**2 + 0.8**2) / 2, abs=0.01)  # uniform by area
    assert 0 < angle.min() < 0.01 and 0.99 < angle.max() <= 1 and angle.mean().item() == pytest.approx(0.5, abs=0.03)
    assert torch.allclose(torch.exp(cell.gamma), torch.sqrt(1 - radius**2), atol=1e-5)


def test_where_the_eigenvalues_of_an_s5_start():
    """With those of the normal part of HiPPO-LegS, made here as the paper has it."""
    n = 6
    row = np.arange(2 * n)
    p = np.sqrt(1 + 2 * row)
    legs = -(np.tril(p[:, None] * p) - np.diag(row))
    normal = legs + np.sqrt(row + 0.5)[:, None] * np.sqrt(row + 0.5)
    expected = np.linalg.eigvals(normal)
    assert np.allclose(expected.real, -0.5)
    assert np.allclose(np.sort(expected.imag)[n:], hippo_frequencies(n, torch.device("cpu")), rtol=1e-5)
    cell = S5Cell(3, 4, states=300, step_min=0.01, step_max=0.2)
    assert torch.equal(cell.real, torch.full((300,), -0.5))
    steps = torch.exp(cell.log_step)
    assert 0.01 <= steps.min() < 0.0105 and 0.19 < steps.max() <= 0.2
    assert cell.log_step.mean().item() == pytest.approx(math.log(0.01 * 0.2) / 2, abs=0.15)


@pytest.mark.parametrize("n", [10, 40])
def test_the_scales_at_which_an_s5_starts(n):
    """B and C as in the reference's ``complex_normal``: C does not shrink with the number of states, B does."""
    torch.manual_seed(0)
    cell = S5Cell(300, 400, states=n)
    b, c, d = complex_parts(numbers(cell), n)
    for parts, scale in ((b, 0.5 / math.sqrt(n)), (c, 2 * math.sqrt(0.5))):  # the output's weight is 2 C
        assert parts.real.std() == pytest.approx(scale, rel=0.05) == parts.imag.std()
    assert d.std() == pytest.approx(300**-0.5, rel=0.05)


def test_a_state_of_an_s5_cannot_grow():
    cell = make(S5Cell)
    with torch.no_grad():
        cell.real.fill_(3.0)
    re, im = cell._discretize()
    assert (re**2 + im**2 < 1).all()


def test_where_the_decay_of_an_rglru_starts():
    torch.manual_seed(0)
    decay = 1 / (1 + torch.exp(RGLRUCell(3, 500).decay))
    assert 0.9 <= decay.min() < 0.905 and 0.994 < decay.max() <= 0.9991
    assert (decay**2).mean().item() == pytest.approx((0.9**2 + 0.999**2) / 2, abs=0.01)


def test_an_rglru_has_gradients_where_it_forgets_nothing():
    cell = RGLRUCell(I, H)
    with torch.no_grad():
        cell.gates.bias[:H] = -1e4  # r = 0, a = 1
    x_BTI = torch.randn(2, 5, I)
    cell(x_BTI, cell.initial_state(2))[0].sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in cell.parameters())


def test_where_a_mamba_starts():
    torch.manual_seed(0)
    cell = MambaCell(3, 500, states=3)
    step = torch.nn.functional.softplus(cell.step_size.bias)
    assert 0.001 <= step.min() < 0.00105 and 0.095 < step.max() <= 0.1001
    assert step.log().mean().item() == pytest.approx(math.log(0.001 * 0.1) / 2, abs=0.1)
    assert torch.allclose(torch.exp(cell.log_a), torch.tensor([1.0, 2.0, 3.0]).expand(1000, 3))


def test_an_mlstm_remembers_the_same_by_chunks():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 20, 4, dtype=torch.float64) for _ in range(3))
    i, f = (3 * torch.randn(2, 3, 20, dtype=torch.float64) for _ in range(2))
    f = torch.nn.functional.logsigmoid(f)
    memory = tuple(torch.randn(2, 3, *shape, dtype=torch.float64) for shape in ((4, 4), (4,), ()))
    whole, end = run_chunk(q, k, v, i, f, memory)
    parts = []
    for here in zip(*(tensor.split(6, 2) for tensor in (q, k, v, i, f)), strict=True):
        h, memory = run_chunk(*here, memory)
        parts.append(h)
    assert torch.allclose(torch.cat(parts, 2), whole, rtol=1e-9, atol=1e-9)
    assert all(torch.allclose(one, other, rtol=1e-9, atol=1e-9) for one, other in zip(memory, end, strict=True))


@pytest.mark.parametrize("gate", [-500.0, 500.0])
def test_exponential_gates_stay_finite(gate):
    """Without m they would not: exp(500) is infinite in float32."""
    cell = MLSTMCell(I, H)
    with torch.no_grad():
        cell.gates.bias[: len(cell.gates.bias) // 2] = gate
    y_BTH, end = cell(torch.randn(2, 9, I), cell.initial_state(2))
    y_BTH.sum().backward()
    assert all(torch.isfinite(tensor).all() for tensor in (y_BTH, *list_leaves(end)))
    assert all(torch.isfinite(parameter.grad).all() for parameter in cell.parameters())


# -- options


@pytest.mark.full
@pytest.mark.parametrize("form", CELLS)
def test_the_kit_with_options(form):
    (spec,) = [entry.spec for entry in registered("cell") if entry.spec.load.endswith(":" + form.__name__)]
    for options in CELLS[form][1]:
        if "heads" not in options:  # the kit also builds a cell of one unit
            testing.check_cell(spec, **options)


@pytest.mark.full
def test_the_kit_with_zoneout():
    (spec,) = [entry.spec for entry in registered("cell") if entry.spec.name == "qrnn"]
    testing.check_cell(spec, zoneout=0.3)


@pytest.mark.parametrize(
    ("cell", "given"),
    [
        ("gilr", "activation=sin"), ("qrnn", "kernel=0"), ("qrnn", "pooling=o"), ("hgrn", "lower_bound=1"),
        ("lru", "states=0"), ("lru", "max_phase=7"), ("lru", "r_min=1"), ("s5", "step_min=0"), ("rglru", "kernel=1"),
        ("mamba", "expand=0"), ("mamba", "states=0"), ("mamba", "rank=0"), ("mlstm", "heads=0"),
    ],
)  # fmt: skip
def test_impossible_options_are_refused_in_one_line(cli, words, cell, given):
    result = cli("train", "--corpus", words, "--cell", cell, "-o", f"cell.{given}", "--steps", 1)
    assert result.code == 2 and result.err.count("\n") == 1 and given.partition("=")[0] in result.err


@pytest.mark.parametrize(
    ("cell", "given", "said"),
    [
        ("lru", {"cell.r_min": 0.9, "cell.r_max": 0.5}, "r_min=0.9 must be below r_max=0.5"),
        ("s5", {"cell.step_min": 0.2}, "step_min=0.2 must not be above step_max=0.1"),
        ("mlstm", {"cell.heads": 5}, "cannot split 16 inner features into 5 heads: set heads to a divisor of 16"),
    ],
)
def test_options_that_do_not_fit_one_another(words, tmp_path, cell, given, said):
    with pytest.raises(seqgen.BadOption, match=said):
        seqgen.train(words, cell=cell, hidden=8, steps=1, options=given, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
