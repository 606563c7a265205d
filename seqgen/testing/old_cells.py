"""Checks of cells and models: everything that is computed over time.

Dimension letters: B batch, T steps, I cell input, H cell output, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqgen.cells import Cell, StepCell, map_state, select_rows
from seqgen.model import make_stepper
from seqgen.protocols import State
from seqgen.specs import CellSpec, ModelSpec
from seqgen.testing.build import build

B, T, I, H, V = 3, 7, 5, 6, 11  # noqa: E741  # the field's letters
_CLOSE = 1e-9  # in float64, where only the order of additions differs


def check_cell(spec: CellSpec, **options: Any) -> None:
    """Prove the contract of a cell.

    Args:
        spec: the cell.
        options: options other than the defaults.

    Raises:
        AssertionError: a promise is not kept; the message says which.
    """
    cell = build(spec, I, H, **options).double().eval()
    assert isinstance(cell, Cell), f"{spec.name}: load gives {type(cell).__name__}, not a seqgen.Cell"
    if isinstance(cell, StepCell):
        _check_projection(spec.name, cell)
    _check_over_time(spec.name, cell, lambda: torch.randn(B, T, I, dtype=torch.float64), cell.output_size)
    again = build(spec, I, H, **options).double().eval()
    again.load_state_dict(cell.state_dict())
    x_BTI = torch.randn(B, T, I, dtype=torch.float64)
    assert torch.equal(cell(x_BTI, cell.initial_state(B))[0], again(x_BTI, again.initial_state(B))[0]), (
        f"{spec.name}: a cell with the same state_dict gives another output"
    )
    if isinstance(cell, StepCell):
        scanned, state = [], cell.initial_state(B)
        for p_BP in cell.noise(cell.project(x_BTI)).unbind(1):
            y_BH, state = cell.step(p_BP, state)
            scanned.append(y_BH)
        assert _close(torch.stack(scanned, 1), cell(x_BTI, cell.initial_state(B))[0]), (
            f"{spec.name}: forward is not project and step"
        )
    y_B1H, _ = build(spec, 1, 1, **options)(torch.randn(2, 1, 1), build(spec, 1, 1, **options).initial_state(2))
    assert y_B1H.shape[:2] == (2, 1), f"{spec.name}: does not work with one feature and one unit"


def _check_projection(name: str, cell: StepCell) -> None:
    """A projection sees one input at a time, whatever the leading dimensions mean."""
    x_BTI = torch.randn(B, T, I, dtype=torch.float64)
    p_BTP = cell.project(x_BTI)
    apart = torch.stack([cell.project(x_BTI[:, t : t + 1])[:, 0] for t in range(T)], 1)
    assert _close(apart, p_BTP), f"{name}: project mixes the steps of a sequence"
    assert _close(cell.project(x_BTI.transpose(0, 1)).transpose(0, 1), p_BTP), f"{name}: project mixes rows"


def check_model(spec: ModelSpec, **options: Any) -> None:
    """Prove the contract of a model; one that is made of cells is built with a small linear cell.

    Raises:
        AssertionError: a promise is not kept; the message says which.
    """
    arguments: list[Any] = [V, _LeakyCell] if spec.uses_cell else [V]
    model = build(spec, *arguments, **options).double().eval()
    if hasattr(model, "learn"):  # a model that counts: let it see something
        for _ in range(3):
            model.learn(torch.randint(V, (B, T)), torch.randint(V, (B, T)))
    _check_over_time(spec.name, model, lambda: torch.randint(V, (B, T)), V)
    step = make_stepper(model)
    ids_BT = torch.randint(V, (B, T))
    logits_BTV, _ = model(ids_BT, model.initial_state(B))
    state = model.initial_state(B)
    with torch.no_grad():
        for t in range(T):
            logits_BV, state = step(ids_BT[:, t], state)
            assert _close(logits_BV, logits_BTV[:, t]), f"{spec.name}: stepper() differs at step {t}"


class _LeakyCell(Cell):
    """h' = h / 2 + W x: enough to build a model around."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        return self.zeros(batch_size)

    def forward(self, x_BTI: Tensor, state: State) -> tuple[Tensor, State]:
        outputs = []
        for u_BH in self.input(x_BTI).unbind(1):
            state = state / 2 + u_BH
            outputs.append(state)
        return torch.stack(outputs, 1), state


def _check_over_time(name: str, module: nn.Module, make_input: Callable[[], Tensor], size: int) -> None:
    """Shapes, nested batch-first state, step equals sequence, causality, rows apart, state untouched, gradients."""
    x = make_input()

    def start(batch_size: int) -> State:
        return module.initial_state(batch_size)  # type: ignore[operator]

    def run(x: Tensor, state: State) -> tuple[Tensor, State]:
        y, state = module(x, state)
        return y, state

    y, end = run(x, start(B))
    assert y.shape == (B, T, size), f"{name}: the output is {tuple(y.shape)}, not (B, T, {size})"
    leaves: list[Tensor] = []
    map_state(leaves.append, end)
    assert all(leaf.shape[:1] == (B,) for leaf in leaves), f"{name}: a leaf of the state is not (B, ...)"

    state, before = start(B), map_state(torch.clone, start(B))
    for t in range(T):
        kept = map_state(torch.clone, state)
        y_t, after = run(x[:, t : t + 1], state)
        _assert_same(state, kept, f"{name}: modifies the state it is given, at step {t}")
        assert _close(y_t[:, 0], y[:, t]), f"{name}: one step at a time differs at step {t}"
        state = after
    _assert_same(start(B), before, f"{name}: initial_state changes from call to call")

    changed = x.clone()
    changed[:, 4:] = make_input()[:, 4:]
    assert _close(run(changed, start(B))[0][:, :4], y[:, :4]), (
        f"{name}: not causal: a later input changes an earlier output"
    )
    rows = torch.tensor([2, 0])
    _, half = run(x[:, :3], start(B))
    some, _ = run(x[rows, 3:], select_rows(half, rows))
    assert _close(some, y[rows, 3:]), f"{name}: a row depends on the other rows of its batch"

    module.zero_grad()
    if any(parameter.requires_grad for parameter in module.parameters()):
        run(make_input(), start(B))[0].square().sum().backward()  # type: ignore[no-untyped-call]
    for parameter_name, parameter in module.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and bool(parameter.grad.abs().sum() > 0), (
                f"{name}: no gradient reaches {parameter_name}"
            )


def _close(tensor: Tensor, other: Tensor) -> bool:
    return torch.allclose(tensor, other, rtol=_CLOSE, atol=_CLOSE)


def _assert_same(state: State, other: State, message: str) -> None:
    leaves: list[Tensor] = []
    others: list[Tensor] = []
    map_state(leaves.append, state)
    map_state(others.append, other)
    assert len(leaves) == len(others), message
    assert all(torch.equal(leaf, twin) for leaf, twin in zip(leaves, others, strict=True)), message
