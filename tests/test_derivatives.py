"""Derivatives of traced steps: random compositions of operations, finite differences, guarantees of autograd."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from over_time import B, H, Plain, assert_agree, batch, begin, build, check, many, one, results
from seqgen.engine.plan_runner import traced_step
from seqgen.states import list_leaves

OPERATIONS = [
    lambda c, x, y, z: x + y,
    lambda c, x, y, z: x - y,
    lambda c, x, y, z: x * y,
    lambda c, x, y, z: 1 - x,
    lambda c, x, y, z: 2 * x - y * 0.5,
    lambda c, x, y, z: torch.tanh(x),
    lambda c, x, y, z: torch.sigmoid(x),
    lambda c, x, y, z: torch.relu(x),
    lambda c, x, y, z: torch.lerp(x, y, torch.sigmoid(z)),
    lambda c, x, y, z: torch.addcmul(x, y, z),
    lambda c, x, y, z: torch.where(x > y, y, z),
    lambda c, x, y, z: torch.maximum(x, y) - torch.minimum(y, z),
    lambda c, x, y, z: torch.exp(-x.abs()) + torch.logaddexp(y, z),
    lambda c, x, y, z: functional.softplus(x) * functional.logsigmoid(y),
    lambda c, x, y, z: torch.cat(x.chunk(2, 1)[::-1], 1),
    lambda c, x, y, z: torch.cat([x[:, :2], y[:, 1:3], z[:, 4:]], 1),
    lambda c, x, y, z: torch.cat([part * z[:, :2] for part in x.split(2, 1)], 1),
    lambda c, x, y, z: torch.stack([x, y, z]).sum(0),
    lambda c, x, y, z: x.mean(1, keepdim=True) + y[:, :1] * z,
    lambda c, x, y, z: c.norm(x),
    lambda c, x, y, z: c.recurrent(x),
    lambda c, x, y, z: c.second(x) + y,
    lambda c, x, y, z: c.linear(x),
    lambda c, x, y, z: x * c.vector + c.buffer,
    lambda c, x, y, z: (x + y).mul_(z),
    lambda c, x, y, z: x.detach() * y,
    lambda c, x, y, z: (x.t().contiguous() * 2).t() + y,
    lambda c, x, y, z: x.reshape(-1).view_as(y),
    lambda c, x, y, z: (x * x + 1).sqrt() / (1 + y.abs()),
    lambda c, x, y, z: x.flip(1).cumsum(1),
]


@pytest.mark.full
@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from(range(len(OPERATIONS))), *[st.integers(0, 99)] * 3), min_size=1, max_size=9),
    st.tuples(*[st.integers(0, 99)] * 3),
)
def test_any_composition_of_operations(program, ends):
    """For any composition of operations, the trace gives the numbers of the step."""

    def step(cell, p_BP, state):
        pool = [*p_BP.chunk(2, 1), *state]
        for index, *at in program:
            pool.append(OPERATIONS[index](cell, *(pool[number % len(pool)] for number in at)))
        y_BH, one_BH, other_BH = (pool[-1 - number % min(4, len(pool))] for number in ends)
        return y_BH, (torch.tanh(one_BH + pool[0]), torch.tanh(other_BH + pool[1]))

    cell = build(many(step, begin(H, H)))
    check(cell, batch(3, 5))
    assert traced_step(cell).problem == ""


# -- gradients


@pytest.mark.parametrize(
    ("name", "options"),
    [("lstm", {"peepholes": True, "projection": 3}), ("minimalrnn", {}), ("lnlstm", {})],
)
def test_gradients_of_traced_steps_against_finite_differences(plugins, name, options):
    torch.manual_seed(0)
    cell = plugins.registry.get("cell", name).build(options, 2, 3).double()
    cell.engine = "scan"
    x = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    state = [torch.randn_like(leaf).requires_grad_() for leaf in list_leaves(cell.initial_state(2))]
    nested = isinstance(cell.initial_state(1), tuple)

    def run(x, *given):
        y, end = cell(x, tuple(given[: len(state)]) if nested else given[0])
        return (y, *list_leaves(end))

    assert torch.autograd.gradcheck(run, (x, *state, *cell.parameters()))
    assert traced_step(cell).problem == ""


def traced_batch():
    cell, x = build(Plain), batch().requires_grad_()
    cell.engine = "scan"
    y, end = cell(x, cell.initial_state(B))
    return cell, x, y, end


@pytest.mark.parametrize("loss", [lambda y: y.square().sum(), lambda y: y.sum()], ids=["square", "linear"])
def test_a_second_derivative_is_refused(loss):
    """Instead of wrong numbers: the first derivative depends on the input through the states, for any loss."""
    _, x, y, _ = traced_batch()
    with pytest.raises(RuntimeError, match="twice"):
        (gradient,) = torch.autograd.grad(loss(y), x, create_graph=True)
        gradient.sum().backward()


def test_a_graph_that_is_retained_gives_its_gradient_again():
    cell, x, y, _ = traced_batch()
    y.sum().backward(retain_graph=True)
    once = [x.grad.clone(), cell.recurrent.weight.grad.clone()]
    y.sum().backward()
    for one_time, twice in zip(once, (x.grad, cell.recurrent.weight.grad), strict=True):
        assert torch.equal(twice, 2 * one_time)
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()


@pytest.mark.parametrize("changed", ["outputs", "state"])
def test_outputs_that_are_changed_in_place_are_noticed(changed):
    _, _, y, end = traced_batch()
    with torch.no_grad():
        (y if changed == "outputs" else end).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def remembering(cell, p, state):
    h, c = state
    c = c * torch.sigmoid(p[:, :H] + cell.recurrent(h)) + p[:, H:] * cell.buffer.view(2, -1).flatten() + cell.vector
    return c * c, (torch.tanh(c), c)


@pytest.mark.parametrize(
    ("changed", "is_noticed"), [("state", True), ("buffer", True), ("recurrent.weight", True), ("vector", False)]
)
def test_what_the_backward_pass_reads_must_not_change_before(changed, is_noticed):
    """A state that is not the output, a buffer by a view of it; not a parameter that is only added."""
    for engine in ("eager", "scan"):
        cell, x = build(many(remembering, begin(H, H))), batch().requires_grad_()
        cell.engine = engine
        y, end = cell(x, cell.initial_state(B))
        tensors = {"state": end[1], **dict(cell.named_parameters()), **dict(cell.named_buffers())}
        with torch.no_grad():
            tensors[changed].mul_(2)
        if is_noticed:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                y.sum().backward()
        else:
            y.sum().backward()
    assert traced_step(cell).problem == ""


def test_tensors_that_require_no_gradient_get_none():
    cell, x = build(one(lambda c, p, q, h: torch.tanh(p + c.recurrent(h) * c.vector + c.second(h)))), batch()
    full = results(cell, "eager", x)
    cell.engine = "scan"
    for parameter in (cell.recurrent.weight, cell.vector, *cell.input.parameters()):
        parameter.requires_grad_(False)
    cell.zero_grad()
    y, end = cell(x, cell.initial_state(B))
    assert y.requires_grad
    (y.sum() + end.sum()).backward()
    assert x.grad is None and cell.recurrent.weight.grad is None and cell.vector.grad is None
    assert cell.second.weight.grad.any() and full["d second.weight"].any()
    frozen = {name: parameter for name, parameter in cell.named_parameters() if not parameter.requires_grad}
    found, expected = results(cell, "scan", x), results(cell, "eager", x)
    assert all(found[f"d {name}"] is None for name in frozen)
    assert_agree(found, expected)
    assert traced_step(cell).problem == ""
