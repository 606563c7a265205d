"""Each cell against its equations, written plainly in NumPy, place by place, block by block and slot by slot."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import seqgen
from equations import B, I, T, make, numbers, over_time, sigmoid, tanh
from seqgen import testing
from seqgen.states import list_leaves

pytest.importorskip("seqgen_structured")
import seqgen_structured
from seqgen_structured.bigridlstm import BiGridLSTMCell
from seqgen_structured.convlstm import ConvLSTMCell
from seqgen_structured.gridlstm import GridLSTMCell
from seqgen_structured.ntm import NTMCell
from seqgen_structured.options import ConvLSTMOptions, GridLSTMOptions, NTMOptions, TimeFreqLSTMOptions
from seqgen_structured.tflstm import TimeFreqLSTMCell


def check(cell, equations, state):
    """The output is that of the equations of (x, state), which give the output and the next state, to 1e-9."""
    x_BTI = torch.randn(B, T, I, dtype=torch.float64)
    y_BTH, _ = cell(x_BTI, cell.initial_state(B))
    expected = over_time(lambda x, _, before: equations(x, before), (None, state), x_BTI.numpy())
    assert y_BTH.shape == (B, T, cell.output_size) == expected.shape
    assert np.allclose(y_BTH.detach().numpy(), expected, rtol=1e-9, atol=1e-9)


def padded(x, size):
    return np.concatenate([x, np.zeros((len(x), size - x.shape[1]))], 1)


# -- convlstm


def convolved(x, kernel, shape, size):
    """x (B, places, channels) under a kernel (out, channels, size, ...), place by place, zeros around."""
    x = x.reshape(len(x), *shape, -1)
    out = np.zeros((len(x), *shape, len(kernel)))
    for place in np.ndindex(*shape):
        for offset in itertools.product(range(size), repeat=len(shape)):
            seen = tuple(p + o - (size - 1) // 2 for p, o in zip(place, offset, strict=True))
            if all(0 <= s < n for s, n in zip(seen, shape, strict=True)):
                out[:, *place] += x[:, *seen] @ kernel[:, :, *offset].T
    return out.reshape(len(x), -1, len(kernel))


CONV = [
    {},
    {"places": 3, "kernel": 2},
    {"places": 5, "kernel": 1, "peepholes": True},
    {"dimensions": 2, "places": 2},
    {"dimensions": 2, "places": 3, "peepholes": True},
    {"dimensions": 3, "places": 2, "kernel": 2, "peepholes": True},
]


@pytest.mark.parametrize("options", CONV)
def test_convlstm(options):
    cell = make(ConvLSTMCell, **options)
    w, size, shape = numbers(cell), options.get("kernel", 3), (options.get("places", 4),) * options.get("dimensions", 1)
    L = int(np.prod(shape))
    C, S = cell.output_size // L, -(-I // L)
    axes = (size,) * len(shape)
    w_x, w_h = w["input.weight"].reshape(4 * C, S, *axes), w["recurrent.weight"].reshape(4 * C, C, *axes)
    w_ci, w_cf = np.split(w.get("peephole_if", np.zeros((L, 2 * C))), 2, 1)
    w_co = w.get("peephole_o", np.zeros((L, C)))

    def equations(x, state):
        h, c = state
        z = convolved(padded(x, L * S), w_x, shape, size) + convolved(h, w_h, shape, size) + w["input.bias"]
        z_i, z_f, z_o, z_c = np.split(z, 4, 2)
        i, f = sigmoid(z_i + w_ci * c), sigmoid(z_f + w_cf * c)
        c = f * c + i * tanh(z_c)
        h = sigmoid(z_o + w_co * c) * tanh(c)
        return h.reshape(len(x), -1), (h, c)

    check(cell, equations, (np.zeros((B, L, C)),) * 2)


def test_convlstm_is_torchs_convolution():
    cell = make(ConvLSTMCell, places=6)
    C = cell.channels
    h_BH = torch.randn(B, 6 * C, dtype=torch.float64)
    kernel = cell.recurrent.weight.view(4 * C, C, 3)
    expected = torch.nn.functional.conv1d(h_BH.view(B, 6, C).mT, kernel, padding=1).mT
    found = cell.recurrent(cell.unfold(h_BH.view(B, 6, C))).view(B, 6, 4 * C)
    assert torch.allclose(found, expected, atol=1e-12)


def test_a_place_sees_its_neighbours_only():
    """After one step the state of the first place depends on that of the second and not on that of the third."""
    cell = ConvLSTMCell(I, 12, places=4)
    h_BH, c_BH = cell.initial_state(1)
    h_BH = torch.randn_like(h_BH).requires_grad_()
    y_BH, _ = cell.step(cell.project(torch.zeros(1, 1, I))[:, 0], (h_BH, c_BH))
    (gradient,) = torch.autograd.grad(y_BH[:, :3].sum(), h_BH)
    assert (gradient.view(4, 3).abs().sum(1) > 0).tolist() == [True, True, False, False]


# -- tflstm, gridlstm, bigridlstm


def blocks_of(x, n_blocks, overlap):
    size = -(-I // n_blocks)
    x = padded(x, n_blocks * size + overlap)
    return [x[:, k * size : (k + 1) * size + overlap] for k in range(n_blocks)]


TIME_FREQUENCY = [
    {},
    {"blocks": 1},
    {"blocks": 3, "overlap": 2},
    {"peepholes": True},
    {"clip": 0.2},
    {"blocks": 2, "overlap": 1, "peepholes": True, "clip": 0.3},
]


@pytest.mark.parametrize("options", TIME_FREQUENCY)
def test_tflstm(options):
    cell = make(TimeFreqLSTMCell, **options)
    w, K, U = numbers(cell), options.get("blocks", 4), cell.units
    w_i, w_f = w.get("peephole_if", np.zeros(2 * U)).reshape(2, U)
    w_o, limit = w.get("peephole_o", np.zeros(U)), options.get("clip", np.inf)
    clipped = []

    def equations(x, state):
        m_f, outputs, memories = np.zeros((len(x), U)), [], []
        for x_k, m_t, c_t in zip(blocks_of(x, K, options.get("overlap", 0)), *state, strict=True):
            z = x_k @ w["input.weight"].T + m_t @ w["time.weight"].T + m_f @ w["frequency.weight"].T + w["input.bias"]
            z_i, z_f, z_o, z_j = np.split(z, 4, 1)
            c = sigmoid(z_f + w_f * c_t) * c_t + sigmoid(z_i + w_i * c_t) * tanh(z_j)
            clipped.append((np.abs(c) > limit).any())
            c = np.clip(c, -limit, limit)
            m_f = sigmoid(z_o + w_o * c) * tanh(c)
            outputs.append(m_f)
            memories.append(c)
        return np.concatenate(outputs, 1), (outputs, memories)

    check(cell, equations, ([np.zeros((B, U))] * K,) * 2)
    assert any(clipped) == ("clip" in options)


GRID = [
    {},
    {"blocks": 1},
    {"blocks": 3, "overlap": 2},
    {"peepholes": True},
    {"share": True},
    {"clip": 0.2},
    {"blocks": 2, "overlap": 1, "peepholes": True, "share": True, "clip": 0.3},
]


def grid_equations(w, U, options, backward=False):
    """Of gridlstm; the gates of F before those of T."""
    K, limit, both = options.get("blocks", 4), options.get("clip", np.inf), not options.get("share")

    def gates(rows, n):
        """[of i, of f, ...], each (of F, of T)."""
        rows = rows.reshape(n, -1, U, *rows.shape[1:])
        return [(of_both[0], of_both[int(both)]) for of_both in rows]

    w_x, w_t, w_f = (gates(w[f"{name}.weight"], 4) for name in ("input", "time", "frequency"))
    bias, none = gates(w["input.bias"], 4), np.zeros((2, 4 * U if both else 2 * U))
    at_f, at_t = (gates(row, 2) for row in w.get("peephole_if", none))
    out_f, out_t = (gates(row, 1)[0] for row in w.get("peephole_o", none[:, : none.shape[1] // 2]))

    def equations(x, state):
        cut, outputs, ms, cs = blocks_of(x, K, options.get("overlap", 0)), [], [], []
        m_f = c_f = np.zeros((len(x), U))
        for x_k, m_t, c_t in zip(cut[::-1] if backward else cut, *state, strict=True):
            z = [
                [x_k @ w_x[g][d].T + m_t @ w_t[g][d].T + m_f @ w_f[g][d].T + bias[g][d] for d in (0, 1)]
                for g in range(4)
            ]
            c = []
            for d, before in enumerate((c_f, c_t)):
                i, f = (sigmoid(z[g][d] + at_f[g][d] * c_f + at_t[g][d] * c_t) for g in (0, 1))
                c.append(np.clip(f * before + i * tanh(z[3][d]), -limit, limit))
            m = [sigmoid(z[2][d] + out_f[d] * c[0] + out_t[d] * c[1]) * tanh(c[d]) for d in (0, 1)]
            (c_f, c_t), (m_f, m_t) = c, m
            outputs += m
            ms.append(m_t)
            cs.append(c_t)
        return np.concatenate(outputs, 1), (ms, cs)

    return equations, ([np.zeros((B, U))] * K,) * 2


@pytest.mark.parametrize("options", GRID)
def test_gridlstm(options):
    cell = make(GridLSTMCell, **options)
    check(cell, *grid_equations(numbers(cell), cell.units, options))


@pytest.mark.parametrize("options", GRID)
def test_bigridlstm(options):
    cell = make(BiGridLSTMCell, **options)
    w = numbers(cell)
    up, down = (
        grid_equations(
            {name.removeprefix(f"{way}."): value for name, value in w.items() if name.startswith(f"{way}.")},
            cell.up.units,
            options,
            backward=way == "down",
        )
        for way in ("up", "down")
    )

    def equations(x, state):
        (one, of_up), (two, of_down) = up[0](x, state[0]), down[0](x, state[1])
        return np.concatenate([one, two], 1), (of_up, of_down)

    check(cell, equations, (up[1], down[1]))


@pytest.mark.parametrize("form", [TimeFreqLSTMCell, GridLSTMCell, BiGridLSTMCell])
def test_which_blocks_see_which(form):
    """Within a step a block sees itself and those before it; on the way back, those after it."""
    cell, x_BTI = make(form, blocks=5), torch.randn(1, 1, I, dtype=torch.float64, requires_grad=True)
    y_BTH, _ = cell(x_BTI, cell.initial_state(1))
    ways = y_BTH.flatten().chunk(2) if form is BiGridLSTMCell else [y_BTH.flatten()]
    for way, seen in zip(ways, (np.tri(5), np.tri(5)[:, ::-1]), strict=False):
        for y_U, expected in zip(way.view(5, -1), seen, strict=True):
            (gradient,) = torch.autograd.grad(y_U.sum(), x_BTI, retain_graph=True)
            assert ((gradient.flatten() != 0).numpy() == expected).all()


# -- ntm


def softplus(a):
    return np.log1p(np.exp(a))


def softmax(a):
    return np.exp(a) / np.exp(a).sum()


NTM = [
    {},
    {"slots": 5, "features": 3, "shift": 2},
    {"read_heads": 2, "write_heads": 3, "features": 4},
    {"slots": 2, "features": 4, "shift": 2},
    {"slots": 1, "features": 1, "shift": 0},
    {"clip": 0.5, "features": 4},
]


def addressed(told, memory, w_before, F, shift):
    """The weights of a head, by the formulas of section 3.3, slot by slot."""
    N = len(memory)
    k, (beta, g), s, gamma = tanh(told[:F]), told[F : F + 2], softmax(told[F + 2 : -1]), 1 + softplus(told[-1])
    similar = [k @ row / (np.linalg.norm(k) * np.linalg.norm(row) + 1e-8) for row in memory]
    w_g = sigmoid(g) * softmax(softplus(beta) * np.array(similar)) + (1 - sigmoid(g)) * w_before
    moved = np.zeros(N)
    for j, by in itertools.product(range(N), range(-shift, shift + 1)):
        moved[(j + by) % N] += w_g[j] * s[by + shift]
    return moved**gamma / (moved**gamma).sum()


@pytest.mark.parametrize("options", NTM)
def test_ntm(options):
    cell = make(NTMCell, **options)
    w, H = numbers(cell), cell.output_size
    N, F, shift = options.get("slots", 8), options.get("features", 16), options.get("shift", 1)
    R, W = options.get("read_heads", 1), options.get("write_heads", 1)
    limit = options.get("clip", 20.0)
    clipped = []

    def row(x, h, c, read, weights, memory):
        """One step of one row."""
        z = w["input.weight"] @ x + w["input.bias"] + w["recurrent.weight"] @ np.concatenate([h, read])
        i, f, o, j = np.split(z, 4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(j)
        h = sigmoid(o) * tanh(c)
        told = w["tell.weight"] @ h + w["tell.bias"]
        clipped.append((np.abs(told) > limit).any())
        told = np.clip(told, -limit, limit)
        of_heads, written = np.split(told, [(R + W) * (F + 2 * shift + 4)])
        weights = [
            addressed(of_head, memory, before, F, shift)
            for of_head, before in zip(np.split(of_heads, R + W), weights, strict=True)
        ]
        read = np.concatenate([w_head @ memory for w_head in weights[:R]])
        for w_head, pair in zip(weights[R:], np.split(written, W), strict=True):
            e, a = np.split(pair, 2)
            memory = memory * (1 - np.outer(w_head, sigmoid(e))) + np.outer(w_head, tanh(a))
        y = w["output.weight"] @ np.concatenate([h, read]) + w["output.bias"]
        return y, (h, c, read, weights, memory)

    def equations(x, rows):
        results = [row(x_row, *state) for x_row, state in zip(x, rows, strict=True)]
        return np.stack([y for y, _ in results]), [state for _, state in results]

    first = (np.zeros(H), np.zeros(H), np.zeros(R * F), [np.eye(N)[0]] * (R + W), np.full((N, F), 1e-6))
    check(cell, equations, [first] * B)
    assert any(clipped) == ("clip" in options)


def test_ntm_keeps_weights_that_add_up_and_a_memory_it_can_read_again():
    cell = make(NTMCell)
    _, (_, _, _, w_BW, memory_BM) = cell(torch.randn(B, T, I, dtype=torch.float64), cell.initial_state(B))
    assert torch.allclose(w_BW.view(B, 2, 8).sum(2), torch.ones(B, 2, dtype=torch.float64))
    rows = memory_BM.view(B, 8, 16)
    assert all(not torch.allclose(rows[:, one], rows[:, two]) for one, two in itertools.combinations(range(8), 2))


def test_ntm_stays_finite_when_its_heads_are_told_the_most():
    cell = NTMCell(I, 7)
    with torch.no_grad():
        cell.tell.weight.mul_(1e4)
    x_BTI = torch.randn(B, 50, I, requires_grad=True)
    y_BTH, state = cell(x_BTI, cell.initial_state(B))
    y_BTH.square().sum().backward()
    assert all(torch.isfinite(leaf).all() for leaf in (y_BTH, x_BTI.grad, *list_leaves(state)))
    assert all(torch.isfinite(parameter.grad).all() for parameter in cell.parameters())


# -- all of them

FORMS = [
    (ConvLSTMCell, {}),
    (ConvLSTMCell, {"dimensions": 2, "places": 2, "peepholes": True}),
    (TimeFreqLSTMCell, {}),
    (TimeFreqLSTMCell, {"blocks": 2, "overlap": 1, "peepholes": True, "clip": 5.0}),
    (GridLSTMCell, {}),
    (GridLSTMCell, {"blocks": 2, "overlap": 1, "peepholes": True, "share": True, "clip": 5.0}),
    (BiGridLSTMCell, {"blocks": 2}),
    (NTMCell, {"slots": 4, "features": 3}),
]


@pytest.mark.parametrize(("form", "options"), FORMS)
def test_gradients_against_finite_differences(form, options):
    cell = make(form, **options)
    x_BTI = torch.randn(2, 3, I, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: cell(x, cell.initial_state(2))[0], (x_BTI,), fast_mode=True)


SPECS: list[seqgen.CellSpec] = []
seqgen_structured.register_cells(SPECS.append)
BY_NAME = {spec.name: spec for spec in SPECS}


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("convlstm", {"dimensions": 2, "places": 3, "kernel": 2, "peepholes": True}),
        ("tflstm", {"blocks": 3, "overlap": 1, "peepholes": True, "clip": 0.3}),
        ("gridlstm", {"blocks": 2, "peepholes": True}),
        ("bigridlstm", {"blocks": 2, "overlap": 1, "peepholes": True, "share": True, "clip": 0.3}),
        ("ntm", {"slots": 3, "features": 2, "read_heads": 2, "write_heads": 2, "shift": 2, "clip": 1.0}),
    ],
)
def test_the_contract_with_options(name, options):
    torch.manual_seed(0)
    testing.check_cell(BY_NAME[name], **options)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_parameters_never_fall_with_the_width(spec):
    counts = [sum(p.numel() for p in spec.resolve()(I, width).parameters()) for width in range(1, 60)]
    assert counts == sorted(counts) and counts[0] < counts[-1]


@pytest.mark.parametrize(
    ("form", "multiple"), [(ConvLSTMCell, 4), (TimeFreqLSTMCell, 4), (GridLSTMCell, 8), (BiGridLSTMCell, 16)]
)
def test_the_width_is_rounded_up(form, multiple):
    assert [form(I, width).output_size for width in (1, multiple, multiple + 1)] == [multiple, multiple, 2 * multiple]
    assert NTMCell(I, 9).output_size == 9


def test_where_biases_start():
    for bias, units in (
        (ConvLSTMCell(I, 12, forget_bias=-2.0).input.bias, 3),
        (TimeFreqLSTMCell(I, 12, forget_bias=-2.0).input.bias, 3),
        (GridLSTMCell(I, 24, forget_bias=-2.0).input.bias, 6),
        (GridLSTMCell(I, 24, forget_bias=-2.0, share=True).input.bias, 3),
        (BiGridLSTMCell(I, 48, forget_bias=-2.0).down.input.bias, 6),
        (NTMCell(I, 6, forget_bias=-2.0).input.bias, 6),
    ):
        assert (bias == -2).tolist() == [False] * units + [True] * units + [False] * 2 * units


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        (ConvLSTMOptions, {"dimensions": 4}),
        (ConvLSTMOptions, {"places": 0}),
        (ConvLSTMOptions, {"kernel": 0}),
        (TimeFreqLSTMOptions, {"blocks": 0}),
        (TimeFreqLSTMOptions, {"overlap": -1}),
        (TimeFreqLSTMOptions, {"share": True}),
        (GridLSTMOptions, {"clip": 0}),
        (GridLSTMOptions, {"backward": True}),
        (NTMOptions, {"slots": 0}),
        (NTMOptions, {"shift": -1}),
        (NTMOptions, {"read_heads": 0}),
        (NTMOptions, {"clip": -1}),
    ],
)
def test_impossible_options_are_refused(model, wrong):
    name, (option, value) = (
        next(spec.name for spec in SPECS if spec.options.endswith(f":{model.__name__}")),
        *wrong.items(),
    )
    with pytest.raises(seqgen.BadOption, match=option):
        seqgen.config.build_options(model, {option: str(value)}, f"cell {name}")
