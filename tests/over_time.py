"""Helpers of the engine's tests: a cell with any step, and comparisons of all its results.

Dimension letters: B batch, T steps, I input, H state.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen.cells import StepCell, use_engine
from seqgen.states import list_leaves, map_state

CLOSE = {torch.float32: 1e-5, torch.float64: 1e-9}  # of the largest number


def results(cell: StepCell, engine: str, x_BTI: Tensor, seed: int = 2) -> dict[str, Tensor | None]:
    """Return outputs, last state, and the gradients of input, initial state (not zero) and parameters.

    ``seed`` is that of torch's random numbers.
    """
    use_engine(nn.ModuleList([cell]), engine)
    cell.zero_grad()
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(9)

    def begin(leaf):
        if not leaf.is_floating_point():
            return leaf
        return (leaf + 0.5 * torch.randn(leaf.shape, generator=generator).to(leaf)).detach().requires_grad_()

    state = map_state(begin, cell.initial_state(len(x_BTI)))
    x_BTI = x_BTI.detach().clone().requires_grad_()
    y_BTH, end = cell(x_BTI, state)
    ends = [leaf for leaf in (y_BTH, *list_leaves(end)) if leaf.requires_grad]
    sum((leaf * torch.linspace(-1, 2, leaf.numel()).to(leaf).view_as(leaf)).sum() for leaf in ends).backward()
    named = {"y": y_BTH, **{f"end {index}": leaf for index, leaf in enumerate(list_leaves(end))}, "dx": x_BTI.grad}
    named |= {f"d start {index}": leaf.grad for index, leaf in enumerate(list_leaves(state)) if leaf.requires_grad}
    named |= {f"d {name}": parameter.grad for name, parameter in cell.named_parameters()}
    return {name: None if tensor is None else tensor.detach().clone() for name, tensor in named.items()}


def assert_agree(found: dict[str, Tensor | None], expected: dict[str, Tensor | None], times: float = 1) -> None:
    """Assert that results are equal up to ``times`` the rounding; a missing gradient equals zeros."""
    assert found.keys() == expected.keys()
    for name, one in expected.items():
        other = found[name]
        if one is None or other is None:
            assert not any(tensor.any() for tensor in (one, other) if tensor is not None), name
            continue
        assert one.dtype == other.dtype and one.shape == other.shape, name
        if one.numel():
            assert (one - other).abs().max() <= times * CLOSE.get(one.dtype, 0) * one.abs().max(), name


B, T, I, H = 4, 7, 5, 6


class Plain(seqgen.StepCell):
    """A cell h' = tanh(W x + U h), with attributes that some of the steps below need."""

    def __init__(self, input_size=I, hidden_size=H):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
        self.second = seqgen.Recurrent(hidden_size, hidden_size, bias=True)
        self.linear = nn.Linear(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)
        self.vector = nn.Parameter(torch.rand(hidden_size))
        self.register_buffer("buffer", torch.rand(hidden_size))
        self.attribute = torch.rand(hidden_size, dtype=torch.float64)
        self.calls = 0

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, h_BH):
        p_BH, q_BH = p_BP.chunk(2, 1)
        self.calls += 1
        h_BH = self.equation(p_BH, q_BH, h_BH)
        return h_BH, h_BH

    def equation(self, p, q, h):
        return torch.tanh(p + self.recurrent(h))


def one(equation):
    """Return a cell class whose new state is ``equation(cell, p, q, h)``."""
    return type("One", (Plain,), {"equation": equation})


def begin(*sizes):
    """Return an initial state of some leaves (B, size), as a tuple."""
    return lambda self, batch_size: tuple(self.zeros(batch_size).new_zeros(batch_size, size) for size in sizes)


def many(step, initial_state):
    """Return a cell class with a step and an initial state."""
    return type("Many", (Plain,), {"step": step, "initial_state": initial_state})


def build(form):
    torch.manual_seed(0)
    return form().double()


def batch(rows=B, steps=T):
    torch.manual_seed(1)
    return torch.randn(rows, steps, I, dtype=torch.float64)


def check(cell, x):
    """Assert that both engines agree."""
    found = []
    for engine in ("eager", "scan"):
        cell.calls = 0
        found.append(results(cell, engine, x))
    assert_agree(found[1], found[0])
