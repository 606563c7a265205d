"""The transformer block against its equations in NumPy, and its growing state."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import seqgen
from conftest import one_in
from seqgen import testing

pytest.importorskip("seqgen_attention")
from seqgen_attention.rotary import rotate
from seqgen_attention.transformer import TransformerCell

B, T, I, H = 4, 9, 5, 12


def make(input_size=I, hidden_size=H, **options):
    """A cell in float64 none of whose weights is special; the norms would be ones and zeros."""
    torch.manual_seed(0)
    cell = TransformerCell(input_size, hidden_size, **options).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(torch.randn_like(parameter) / 10)
    return cell


def run(cell, x, state=None):
    return cell(x, cell.initial_state(len(x)) if state is None else state)


def inputs(steps=T, features=I):
    torch.manual_seed(1)
    return torch.randn(B, steps, features, dtype=torch.float64)


# -- the equations, a row and a step at a time


def norm(x, layer):
    gain, *bias = (parameter.detach().numpy() for parameter in layer.parameters())
    if not bias:
        return x / np.sqrt((x**2).mean() + 1e-5) * gain
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * gain + bias[0]


def mlp(x, first, *others):
    if not others:
        gate, value = np.split(linear(x, first.input), 2)
        return linear(gate / (1 + np.exp(-gate)) * value, first.output)
    u = linear(x, first)
    return linear(u * np.array([(1 + math.erf(one / math.sqrt(2))) / 2 for one in u]), others[-1])


def linear(x, layer):
    y = layer.weight.detach().numpy() @ x
    return y if layer.bias is None else y + layer.bias.detach().numpy()


def turned(x, m):
    """R_m x as complex numbers: plane i is features i and i + d/2."""
    d, half = len(x), len(x) // 2
    z = x[:half] + 1j * x[half : 2 * half]
    z = z * np.exp(1j * m * 10_000.0 ** (-2 * np.arange(half) / d))
    return np.concatenate([z.real, z.imag, x[2 * half :]])


def by_the_equations(cell, x_TI):
    d = cell.hidden_size // cell.heads
    norm_2, *maps = cell.mlp
    keys, values, outputs = [], [], []
    for m, x in enumerate(x_TI):
        a = x if cell.input_size == cell.hidden_size else linear(x, cell.input)
        q, k, v = np.split(linear(norm(a, cell.attention_norm), cell.attention_in), 3)
        cut = [slice(head * d, (head + 1) * d) for head in range(cell.heads)]
        keys.append([turned(k[at], m) for at in cut])
        values.append([v[at] for at in cut])
        heads = []
        seen = slice(max(0, m + 1 - cell.context), None)
        for head, at in enumerate(cut):
            e = np.exp([turned(q[at], m) @ key[head] / math.sqrt(d) for key in keys[seen]])
            heads.append(sum(w * value[head] for w, value in zip(e / e.sum(), values[seen], strict=True)))
        b = a + linear(np.concatenate(heads), cell.attention_out)
        outputs.append(norm(b + mlp(norm(b, norm_2), *maps), cell.norm))
    return np.stack(outputs)


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ((I, H), {}),
        ((I, H), {"heads": 3, "mlp_ratio": 1.5}),
        ((I, H), {"heads": 4}),  # heads of three features: the last one is not turned
        ((I, H), {"heads": 12}),
        ((H, H), {"heads": 2}),
        ((1, 1), {}),
        ((I, H), {"heads": 3, "context": 4}),
        ((I, H), {"context": 1}),
        ((I, H), {"rms_norm": True}),
        ((I, H), {"swiglu": True, "mlp_ratio": 1.5}),
        ((H, H), {"rms_norm": True, "swiglu": True, "heads": 3, "context": 4}),
    ],
)
def test_it_is_the_equations(sizes, options):
    cell, x = make(*sizes, **options), inputs(features=sizes[0])
    expected = np.stack([by_the_equations(cell, row.numpy()) for row in x])
    assert np.allclose(run(cell, x)[0].detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("context", one_in(3, [1, 2, 3, 8, 9, 20]))
@pytest.mark.parametrize("cuts", [(30,), (1,) * 30, (7,) * 4 + (2,), (1, 12, 1, 1, 15), (20, 10)])
def test_the_context_may_be_shorter_than_the_text(context, cuts):
    cell, x = make(heads=3, context=context), inputs(30)
    expected = np.stack([by_the_equations(cell, row.numpy()) for row in x])
    state, parts = cell.initial_state(B), []
    for part in x.split(cuts, 1):
        y, state = cell(part, state)
        parts.append(y)
        assert state[0].shape[2] < 2 * context and state[0].shape == state[1].shape
    assert np.allclose(torch.cat(parts, 1).detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("cuts", [(1, 8), (4, 5), (4, 1, 4), (1,) * 9])
def test_it_goes_on_from_any_state_by_any_number_of_steps(cuts):
    cell, x = make(heads=3), inputs()
    whole, end = run(cell, x)
    state, parts = cell.initial_state(B), []
    for part in x.split(cuts, 1):
        y, state = cell(part, state)
        parts.append(y)
    assert torch.allclose(torch.cat(parts, 1), whole, rtol=1e-9, atol=1e-9)
    for one, other in zip(state, end, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)


def test_the_state_is_the_keys_and_values_so_far():
    cell, x = make(heads=3), inputs()
    assert [leaf.shape for leaf in cell.initial_state(B)] == [(B, 3, 0, 4)] * 2
    _, early = run(cell, x[:, :4])
    kept = [leaf.clone() for leaf in early]
    _, late = cell(x[:, 4:], early)
    for before, copy, after in zip(early, kept, late, strict=True):
        assert torch.equal(before, copy)
        assert after.shape == (B, 3, T, 4)
        assert torch.equal(after[:, :, :4], copy)


@pytest.mark.parametrize("rows", [[2, 0], [1], [3, 3, 1, 0, 2]])
def test_rows_of_the_state_may_be_chosen(rows):
    cell, x = make(heads=3), inputs()
    whole, _ = run(cell, x)
    _, state = run(cell, x[:, :6])
    y, _ = cell(x[rows, 6:], tuple(leaf[rows] for leaf in state))
    assert torch.allclose(y, whole[rows, 6:], rtol=1e-9, atol=1e-9)


def test_rotation_keeps_lengths_and_sees_distances_only():
    torch.manual_seed(2)
    q, k = torch.randn(2, 1, 1, 1, 6, dtype=torch.float64)
    near = (rotate(q, 5) * rotate(k, 2)).sum()
    assert torch.allclose(near, (rotate(q, 1005) * rotate(k, 1002)).sum(), atol=1e-9)
    assert not torch.allclose(near, (rotate(q, 6) * rotate(k, 2)).sum())
    assert torch.allclose(rotate(q, 77).norm(), q.norm(), atol=1e-12)
    assert torch.equal(rotate(q, 0), q)


@pytest.mark.parametrize("start", [0, 100, 300, 900])
def test_positions_stay_apart_in_few_digits(start):
    torch.manual_seed(3)
    q, k = torch.randn(2, 1, 1, 1, 32)
    exact = (rotate(q, 1) * rotate(k, 0)).sum()
    short = (rotate(q.bfloat16(), start + 1) * rotate(k.bfloat16(), start)).float().sum()
    assert abs(short - exact) < 0.02 * q.norm() * k.norm()


@pytest.mark.full
@pytest.mark.parametrize("options", [{}, {"heads": 2, "mlp_ratio": 0.5}, {"heads": 4}])
def test_gradients_against_finite_differences(options):
    cell, x = make(3, 4, **options), torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: run(cell, x)[0], (x,))
    state = tuple(leaf.detach().requires_grad_() for leaf in run(cell, x)[1])
    assert torch.autograd.gradcheck(lambda x, k, v: cell(x, (k, v))[0], (x, *state))


@pytest.mark.full
def test_parameters_get_their_gradients_from_finite_differences():
    cell, x = make(3, 4, heads=2), torch.randn(2, 4, 3, dtype=torch.float64)
    named = dict(cell.named_parameters())

    def output(*weights):
        call = (x, cell.initial_state(2))
        return torch.func.functional_call(cell, dict(zip(named, weights, strict=True)), call)[0]

    assert torch.autograd.gradcheck(output, tuple(named.values()))


@pytest.mark.parametrize(
    ("hidden", "heads"), [(1, 1), (31, 1), (64, 2), (65, 1), (96, 3), (128, 4), (130, 2), (512, 16)]
)
def test_heads_are_chosen_to_fit(hidden, heads):
    assert TransformerCell(2, hidden).heads == heads


def test_heads_that_do_not_divide_the_units_are_refused_in_one_line(plugins):
    entry = plugins.registry.get("cell", "transformer")
    with pytest.raises(seqgen.BadOption, match=r"^cannot split 12 units into 5 heads: set heads to a divisor of 12$"):
        entry.build({"heads": 5}, I, H)
    with pytest.raises(seqgen.BadOption, match="mlp_ratio"):
        entry.build({"mlp_ratio": 0}, I, H)


@pytest.mark.parametrize("options", [{"rms_norm": True}, {"swiglu": True}, {"rms_norm": True, "swiglu": True}])
def test_the_kit_with_options(options, plugins):
    testing.check_cell(plugins.registry.get("cell", "transformer").spec, **options)


def test_samples_do_not_depend_on_how_many_are_drawn(words, tmp_path):
    run = seqgen.train(
        words, cell="transformer", hidden=64, layers=2, embedding=64, batch_size=16, steps=5, split="none",
        options={"samples": 0}, out=tmp_path / "run",
    )  # fmt: skip
    many = [sample.text for sample in run.sample(100, seed=3)]
    assert [sample.text for sample in run.sample(7, seed=3)] == many[:7]
    assert len(set(many)) > 50
