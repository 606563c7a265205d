"""Tracing leaves buffers and random numbers unchanged, and finds what it cannot trace.

Steps that draw, keep buffers or look at values run as they do under autograd, to the bit; steps that change what they
made are differentiated as they were before the change.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import seqgen
from over_time import B, H, Plain, assert_agree, batch, build, check, many, one, results
from resuming import Stopper, digests
from seqgen.cells import use_engine
from seqgen.engine.plan_runner import traced_step

# -- products that are changed in place


def clamp_later(cell, p, q, h):
    z = cell.recurrent(h)
    z += p
    z.clamp_(-0.5, 0.5)
    return torch.tanh(z) + 0.5 * h


def argument_changed(cell, p, q, h):
    a = torch.tanh(h + q)
    z = cell.recurrent(a)
    a.clamp_(-0.1, 0.1)
    return torch.tanh(p + z + a.detach())


CHANGED = {
    "clamp": lambda c, p, q, h: torch.tanh(p + c.recurrent(h).clamp_(-0.5, 0.5)),
    "clamp of a sum": clamp_later,
    "hardtanh": lambda c, p, q, h: torch.tanh(p + functional.hardtanh(c.recurrent(h), -1.0, 1.0, inplace=True)),
    "threshold": lambda c, p, q, h: torch.tanh(p + functional.threshold(c.recurrent(h), -1.0, -1.0, inplace=True)),
    "relu": lambda c, p, q, h: torch.tanh(p + functional.relu_(c.recurrent(h) - 0.1)),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_product_changed_in_place_has_the_right_gradient(name):
    """Weights grow after the trace: values that were not clipped then are clipped now."""
    found = {}
    for engine in ("eager", "scan"):
        cell = build(one(CHANGED[name]))
        results(cell, engine, batch())
        with torch.no_grad():
            cell.recurrent.weight.mul_(8)
        found[engine] = results(cell, engine, batch())
        assert engine == "eager" or traced_step(cell).problem == ""
    for value, expected in zip(found["scan"].values(), found["eager"].values(), strict=True):
        assert (value is None) == (expected is None)
        assert value is None or torch.allclose(value, expected, rtol=1e-9, atol=1e-9)


def test_the_argument_of_a_product_may_not_change_afterwards():
    """Autograd refuses it, since the weight's gradient needs the argument; so does the engine."""
    for engine in ("eager", "scan"):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            results(build(one(argument_changed)), engine, batch())


# -- no side effects


class Keeps(Plain):
    """A step that samples random numbers and changes buffers, in three ways."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.register_buffer("n", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(self.hidden_size))


def drop(cell, p, q, h):
    return functional.dropout(torch.tanh(p + cell.recurrent(h)), 0.3)


def noise(cell, p, q, h):
    return torch.tanh(p + cell.recurrent(h) + 0.1 * torch.randn(h.shape, dtype=h.dtype))


def count(cell, p, q, h):
    cell.n.add_(1)
    return torch.tanh(p + cell.recurrent(h) / (1 + cell.n))


def average(cell, p, q, h):
    h = torch.tanh(p + cell.recurrent(h))
    cell.mean = 0.9 * cell.mean + 0.1 * h.detach().mean(0)
    return h


def keeping(equation):
    return type("Keeping", (Keeps,), {"equation": equation})


@pytest.mark.parametrize("equation", [drop, noise, count, average], ids=lambda equation: equation.__name__)
def test_random_and_stateful_steps_equal_autograd_to_the_bit(equation):
    found = []
    for engine in ("eager", "scan"):
        cell, values = build(keeping(equation)), []
        for number, rows in enumerate((B, B, 2, B)):
            found_here = results(cell, engine, batch(rows), seed=number)
            values += [value for value in found_here.values() if value is not None]
            values += [cell.n.clone(), cell.mean.clone(), torch.get_rng_state()]
        found.append(values)
        assert engine == "eager" or traced_step(cell).problem
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_step_that_replaces_a_buffer_is_traced_once():
    cell = build(keeping(average))
    results(cell, "scan", batch())
    assert traced_step(cell).problem == "it replaces a buffer by another tensor"
    cell.calls, n_steps = 0, batch().shape[1]
    for _ in range(3):
        results(cell, "scan", batch())
    assert cell.calls == 3 * n_steps


DROPPING = """
import torch
from torch import nn

import seqgen


class WithDropout(seqgen.StepCell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input, self.drop = nn.Linear(input_size, hidden_size), nn.Dropout(0.2)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
        self.register_buffer("n", torch.zeros(()))

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, h_BH):
        if self.training:
            self.n.add_(1)
        h_BH = self.drop(torch.tanh(p_BP + self.recurrent(h_BH)))
        return h_BH, h_BH


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="dropping", summary="s", source="t", load=WithDropout))
"""


@pytest.mark.full
def test_a_run_of_random_and_stateful_steps_is_resumed_to_the_bit(words, in_tmp):
    settings = {
        "cell": "dropping", "hidden": 8, "steps": 24, "plugins": ["dropping.py"],
        "options": {"eval_every": 4, "batch_size": 8, "model.dropout": 0, "samples": 1},
    }  # fmt: skip
    (in_tmp / "dropping.py").write_text(DROPPING)
    seqgen.train(words, out="straight", **settings)
    with pytest.raises(seqgen.Interrupted):
        seqgen.train(words, out="stopped", listener=Stopper(10), **settings)
    seqgen.resume("stopped", plugins=settings["plugins"])
    assert digests(in_tmp / "stopped") == digests(in_tmp / "straight")


# -- what is found

LOOKS = {
    "tolist": lambda p: max(p.flatten().tolist()),
    "numpy": lambda p: p.detach().numpy().max(),
    "asarray": lambda p: np.asarray(p.detach()).max(),
    "dlpack": lambda p: np.from_dlpack(p.detach()).max(),
    "item": lambda p: p.max().item(),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_step_that_reads_values_is_not_traced(name):
    cell = build(one(lambda c, p, q, h: torch.tanh(p + c.recurrent(h)) * (0.1 if LOOKS[name](p) > 1 else 1.0)))
    results(cell, "scan", batch())
    assert traced_step(cell).problem.startswith("it reads the values of a tensor (")


SHAPES = {
    "nonzero": lambda h, t: h if len((t[:, 0] < 5).nonzero()) == len(t) else 0.5 * h,
    "masked_select": lambda h, t: h * (torch.masked_select(t, t < 5).numel() / t.numel()),
    "mask": lambda h, t: h * (t[t < 5].numel() / t.numel()),
    "unique": lambda h, t: h / len(torch.unique(t + torch.arange(len(t))[:, None] * (t > 5))),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_step_that_reads_the_shape_of_a_selection_is_not_traced(name):
    """The count in the state changes what is selected after the steps that are compared."""

    def step(self, p_BP, state):
        h, t = state
        h = SHAPES[name](torch.tanh(p_BP.chunk(2, 1)[0] + self.recurrent(h)), t)
        return h, (h, t + 1)

    def initial_state(self, batch_size):
        return self.zeros(batch_size), torch.zeros(batch_size, 1, dtype=torch.long)

    cell = build(many(step, initial_state))
    found, expected = results(cell, "scan", batch(steps=12)), results(cell, "eager", batch(steps=12))
    assert "depends on the values of a tensor" in traced_step(cell).problem
    assert_agree(found, expected)


def test_a_step_that_selects_by_positions_is_traced():
    cell = build(one(lambda c, p, q, h: torch.tanh(p + c.recurrent(h[:, torch.arange(H).flip(0)]))))
    check(cell, batch())
    assert "made in the step" in traced_step(cell).problem or traced_step(cell).problem == ""


def test_a_complex_state_is_not_traced():
    """A gate of 0 would hide in the comparison that gradients through time are missing."""

    def step(self, p_BP, h_BH):
        h_BH = torch.polar(self.vector, 3 * self.vector) * h_BH + p_BP.chunk(2, 1)[0]
        return self.linear.weight[0] * h_BH.real + p_BP.chunk(2, 1)[1], h_BH

    cell = build(many(step, lambda self, batch_size: self.zeros(batch_size).to(torch.complex128)))
    found = {}
    for engine in ("scan", "eager"):
        use_engine(nn.ModuleList([cell]), engine)
        for gate in (0.0, 1.0):
            cell.zero_grad()
            with torch.no_grad():
                cell.linear.weight.fill_(gate)
            y_BTH, _ = cell(batch(), cell.initial_state(B))
            y_BTH.square().sum().backward()
        found[engine] = {name: parameter.grad for name, parameter in cell.named_parameters()}
    assert_agree(found["scan"], found["eager"])
    assert traced_step(cell).problem.startswith("its state is complex")


def test_a_part_that_is_trained_later_is_traced_again():
    """A module within a cell may be in evaluation mode while the cell is training."""

    def equation(cell, p, q, h):
        return torch.tanh(p + cell.recurrent(h)) * (0.5 if cell.norm.training else 1.0)

    cell = build(one(equation))
    for training in (False, True):
        cell.norm.train(training)
        check(cell, batch())
    assert traced_step(cell).problem == ""


def test_weights_that_change_between_the_pass_and_its_derivative_are_noticed():
    cell = build(Plain)
    for engine in ("eager", "scan"):
        cell.engine = engine
        y_BTH, _ = cell(batch(), cell.initial_state(B))
        with torch.no_grad():
            cell.recurrent.weight.mul_(1.1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y_BTH.sum().backward()


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_attention_is_random_only_where_it_drops(share):
    def attend(cell, p, q, h):
        parts = (h + p).view(len(h), 1, 2, H // 2)
        return torch.tanh(q + functional.scaled_dot_product_attention(parts, parts, parts, dropout_p=share).flatten(1))

    cell = build(one(attend))
    found, expected = (results(copy.deepcopy(cell), engine, batch()) for engine in ("scan", "eager"))
    results(cell, "scan", batch())
    assert ("is random" in traced_step(cell).problem) == bool(share) == bool(traced_step(cell).problem)
    assert all(
        value is None or torch.allclose(value, other, atol=1e-9)
        for value, other in zip(found.values(), expected.values(), strict=True)
    )


def test_a_parameter_in_a_plain_list_is_named():
    class Listing(Plain):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.scales = [nn.Parameter(torch.ones(self.hidden_size, dtype=torch.float64))]

        def equation(self, p, q, h):
            return torch.tanh(p + self.recurrent(h) * self.scales[0])

    cell = build(Listing)
    results(cell, "scan", batch())
    assert "neither trained nor saved; use nn.ParameterList" in traced_step(cell).problem
