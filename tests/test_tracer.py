"""Steps that can be traced, and steps that cannot, which run under autograd instead.

Each step here is run by the engines "eager" and "scan"; numbers and gradients must be equal, whichever way it went.
"""

from __future__ import annotations

import ctypes
from collections import namedtuple

import pytest
import torch
from torch import nn
from torch.nn import functional

from over_time import B, H, Plain, T, batch, begin, build, check, many, one, results
from seqgen.cells import describe_engine
from seqgen.engine.plan_runner import traced_step

# -- steps that can be traced


Pair = namedtuple("Pair", "h rest")


def in_place(cell, p, q, h):
    z = p + cell.recurrent(h)
    z += q
    z.mul_(0.5)
    return z.tanh_()


def counting(cell, p, state):
    h, n = state
    h = torch.tanh(p[:, :H] + cell.recurrent(h) / (1 + n.to(h.dtype))[:, None])
    return h, (h, n + 1)


def nested(cell, p, state):
    a, b = state["a"], state["more"].rest[0]
    a, b = torch.tanh(p[:, :H] + cell.recurrent(b)), torch.sigmoid(p[:, H:] + cell.second(a))
    return a * b, {"a": a, "more": Pair(a + b, [b])}


RECORDED = {
    "the state is the output": one(Plain.equation),
    "an in-place change of a fresh tensor": one(in_place),
    "an in-place change of a shape": one(
        lambda c, p, q, h: torch.tanh(p + c.recurrent(h).sum(1, True).squeeze_(1)[:, None])
    ),
    "a product of a vector": one(
        lambda c, p, q, h: torch.tanh(p + c.recurrent(h) * c.recurrent(c.vector.square() + h.sum(0)))
    ),
    "a product of what is made of a parameter": one(
        lambda c, p, q, h: torch.tanh(p + c.recurrent(h) * c.recurrent(c.vector.square()))
    ),
    "ones less a value for all records": one(
        lambda c, p, q, h: torch.tanh(c.recurrent(h) + p * (torch.fill(q, 1.0) - torch.sigmoid(c.vector)))
    ),
    "ones less a value for all records as the result": one(
        lambda c, p, q, h: torch.fill(q, 1.0) - torch.sigmoid(c.vector)
    ),
    "a buffer": one(lambda c, p, q, h: torch.tanh(p * c.buffer + c.recurrent(h))),
    "a parameter used directly": one(lambda c, p, q, h: torch.tanh(p + c.vector * h)),
    "a parameter that does not meet the batch": one(lambda c, p, q, h: torch.tanh(p + h) * c.vector.square().sum()),
    "a linear layer": one(lambda c, p, q, h: torch.tanh(p + c.linear(h))),
    "a norm": one(lambda c, p, q, h: c.norm(p + c.recurrent(h))),
    "a product twice": one(lambda c, p, q, h: torch.tanh(p + c.recurrent(torch.relu(q + c.recurrent(h))))),
    "a product of what is no state": one(lambda c, p, q, h: torch.tanh(h + c.second(p))),
    "a weight in a product and directly": one(
        lambda c, p, q, h: torch.tanh(p + c.recurrent(h) + (h * q) @ c.recurrent.weight.t())
    ),
    "two products": one(lambda c, p, q, h: torch.lerp(c.second(p * h), c.recurrent(h), torch.sigmoid(q))),
    "a view as the result": one(lambda c, p, q, h: torch.tanh(torch.cat([p + c.recurrent(h), q], 1)).chunk(2, 1)[0]),
    "a result that no operation writes": one(
        lambda c, p, q, h: functional.prelu(p + c.recurrent(h), c.vector.sum()[None].sigmoid())
    ),
    "a list as a result": one(lambda c, p, q, h: torch.stack((p + c.recurrent(h)).unbind(1), 1).sort(1).values),
    "a choice by values": one(lambda c, p, q, h: torch.where(p > h, q, c.recurrent(h)).clamp(-1, 1)),
    "a softmax of a part of the input": one(lambda c, p, q, h: torch.tanh(p + c.recurrent(h)) * q.softmax(1)),
    "fresh constants": one(lambda c, p, q, h: torch.tanh(p + torch.ones_like(h) * 0.3 + c.recurrent(h))),
    "an output that ignores the state": many(
        lambda c, p, h: (torch.tanh(p), torch.tanh(p[:, :H] + c.recurrent(h))), Plain.initial_state
    ),
    "an output that ignores the input": many(
        lambda c, p, h: (torch.relu(h), torch.tanh(p[:, :H] + c.recurrent(h))), Plain.initial_state
    ),
    "the output is the input": many(lambda c, p, h: (p, torch.tanh(p[:, :H] + c.recurrent(h))), Plain.initial_state),
    "the output is the state before": many(
        lambda c, p, h: (h, torch.tanh(p[:, :H] + c.recurrent(h))), Plain.initial_state
    ),
    "a state that stays": many(
        lambda c, p, s: (s[0] * s[1], (torch.tanh(p[:, :H] + c.recurrent(s[0])), s[1])), begin(H, H)
    ),
    "a state that is not read": many(
        lambda c, p, s: (p[:, :H] * c.vector, (torch.tanh(p[:, :H]), p[:, :H])), begin(H, H)
    ),
    "states that swap": many(
        lambda c, p, s: (s[0] + s[1], (s[1], torch.tanh(p[:, :H] + c.recurrent(s[0])))), begin(H, H)
    ),
    "two states that are the output": many(
        lambda c, p, s: (lambda h: (h, (h, h)))(torch.tanh(p[:, :H] + c.recurrent(s[0]) + c.second(s[1]))), begin(H, H)
    ),
    "values read for the last time that others are seen through": one(
        lambda c, p, q, h: (lambda z, w: (z + w).sigmoid() * z[:, :1] * (w.t() @ w).sum())(
            p * 2 + c.recurrent(h), torch.tanh(q * 3)
        )
    ),
    "a mask as wide as what it is made from": one(
        lambda c, p, q, h: ((p + c.recurrent(h)) > 0) * torch.tanh(q * h) + ((p * q) > 0).logical_not().to(p.dtype)
    ),
    "the last inputs": many(
        lambda c, p, s: (p[:, :4] * s[0], (torch.cat([s[0][:, 2:], p[:, :2]], 1) * 0.9,)),
        lambda self, n: (self.zeros(n).new_zeros(n, 4),),
    ),
    "a counter in the state": many(
        counting, lambda self, n: (self.zeros(n), torch.zeros(n, dtype=torch.int64))
    ),
    "a part of the state that leads no gradient": many(
        lambda c, p, s: (lambda h: (h * s[1], (h, (s[1] / 2 + p[:, H:]).detach())))(
            torch.tanh(p[:, :H] + c.recurrent(s[0]))
        ),
        begin(H, H),
    ),
    "a nested state": many(
        nested, lambda self, n: {"a": self.zeros(n), "more": Pair(self.zeros(n), [self.zeros(n)])}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_a_step_that_can_be_traced(name):
    cell = build(RECORDED[name])
    for shape in ((B, T), (1, T), (B, 1), (2, 3), (B, T)):
        check(cell, batch(*shape))
    assert traced_step(cell).problem == ""


# -- steps that cannot


def read_behind(tensor):
    """Return the numbers of a tensor, read from its memory."""
    flat = tensor.detach().contiguous()
    return (ctypes.c_double * flat.numel()).from_address(flat.data_ptr())[:]


def branching(cell, p, q, h):
    return torch.tanh(p + cell.recurrent(h)) if p.sum() > 0 else torch.relu(q)


def writing_a_part(cell, p, q, h):
    z = p + cell.recurrent(h)
    z[:, :2] = q[:, :2]
    return torch.tanh(z)


def growing(cell, p, state):
    seen = torch.cat([state, p[:, None, :H]], 1)
    return cell.recurrent(seen.mean(1)), seen


def counted_by_python(cell, p, q, h):
    return torch.tanh(p + cell.calls % 3 * cell.recurrent(h))


NOT_RECORDED = {
    "random numbers": (one(lambda c, p, q, h: torch.tanh(p + c.recurrent(h)) * torch.rand_like(p)), "random"),
    "dropout": (one(lambda c, p, q, h: functional.dropout(p + c.recurrent(h), 0.5)), "random"),
    "a branch": (one(branching), "reads the values of a tensor"),
    "a number read back": (
        one(lambda c, p, q, h: torch.tanh(p + h[0, 0].item() * c.recurrent(h))), "reads the values of a tensor"
    ),
    "a number read behind torch's back": (
        one(lambda c, p, q, h: torch.tanh(p + sum(map(abs, read_behind(h))) * c.recurrent(h))),
        "other numbers",
    ),
    "a part that is overwritten": (one(writing_a_part), "used elsewhere"),
    "a tensor that is nobody's": (one(lambda c, p, q, h: torch.tanh(p * c.attribute + h)), "neither input, state"),
    "a new tensor of numbers": (one(lambda c, p, q, h: p + h * torch.tensor(0.5)), "neither input, state"),
    "a state that grows": (
        many(growing, lambda self, n: self.zeros(n).new_zeros(n, 1, H)), "changes shape or type"
    ),
    "a state of more and more tensors": (
        many(lambda c, p, s: (p[:, :H] + c.recurrent(s[-1]), (*s, p[:, :H])), lambda self, n: (self.zeros(n),)),
        "changes shape or type",
    ),
    "a state that changes its type": (
        many(lambda c, p, h: ((p[:, :H] + h).float(), (p[:, :H] * 0.5 + h).float()), Plain.initial_state),
        "changes shape or type",
    ),
    "a state without features": (
        many(lambda c, p, s: (p[:, :H] + c.recurrent(s[0]), (p[:, :H] * s[0], s[1])), begin(H, 0)), "empty"
    ),
    "a count that Python keeps": (one(counted_by_python), "other numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_RECORDED)
def test_a_step_that_cannot_be_traced_runs_eagerly(name):
    form, problem = NOT_RECORDED[name]
    cell = build(form)
    for shape in ((B, T), (1, T), (B, 1)):
        cell.engine = "scan"
        cell(batch(*shape), cell.initial_state(shape[0]))  # the attempt, after which nothing is tried any more
        check(cell, batch(*shape))
    assert problem in traced_step(cell).problem
    assert problem in describe_engine(nn.ModuleList([cell]))


def test_a_state_that_grows_is_found_after_a_single_step():
    """The first sequence has a single step, for which the trace is right."""
    cell = build(NOT_RECORDED["a number read behind torch's back"][0])
    check(cell, batch(steps=1))
    check(cell, batch())


def test_a_dependence_on_rows_is_found_after_a_single_row():
    cell = build(RECORDED["a softmax of a part of the input"])
    check(cell, batch(rows=1))
    check(cell, batch())


def in_place_of_many(cell, p, q, h):
    z = p + cell.recurrent(h)
    torch._foreach_tanh_([z])
    return z


class OtherType(Plain):
    """A cell whose projection may be float32, with all else float64."""

    single = True

    def project(self, x_BTI):
        p_BTP = self.input(x_BTI)
        return p_BTP.float() if self.single else p_BTP

    def equation(self, p, q, h):
        return torch.tanh(p.double() + self.recurrent(h))


class LearnedBeginning(Plain):
    """A cell whose state has rows that share memory, as ``expand`` returns them."""

    def initial_state(self, batch_size):
        return self.vector.expand(batch_size, -1)

    def equation(self, p, q, h):
        return torch.tanh(p + self.recurrent(h.reshape(-1).view_as(p)))


def normed():
    cell = Plain()
    nn.utils.parametrizations.weight_norm(cell.recurrent)
    return cell


def orthogonal():
    cell = Plain()
    nn.utils.parametrizations.orthogonal(cell.recurrent)
    return cell


ODD = {
    "a product of a parameter": one(lambda c, p, q, h: torch.tanh(p + c.recurrent(h) * c.recurrent(c.vector))),
    "a product of a buffer": one(lambda c, p, q, h: torch.tanh(p + c.recurrent(h) * c.recurrent(c.buffer))),
    "in place of many": one(in_place_of_many),
    "another type than the projection": OtherType,
    "a state of one row, expanded": LearnedBeginning,
    "a weight with a norm of its own": normed,
    "a weight that is kept orthogonal": orthogonal,
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_step_is_right_traced_or_not(name):
    cell = build(ODD[name])
    for shape in ((B, T), (B, T), (2, 3)):
        check(cell, batch(*shape))


def test_the_type_of_the_output_is_that_of_the_step_when_the_projection_changes_its_own():
    cell = build(OtherType)
    cell.single = False
    check(cell, batch())
    cell.single = True
    check(cell, batch())


def test_an_error_within_a_step_is_raised_unchanged():
    def fail(cell, p, q, h):
        raise ValueError("mine")

    cell = build(one(fail))
    for engine in ("eager", "scan"):
        with pytest.raises(ValueError, match="mine"):
            results(cell, engine, batch())
    check(build(Plain), batch())  # and leaves nothing behind
