"""What the tests of cells share: a cell in float64 and its equations over time, written plainly in NumPy.

Dimension letters: B batch, T steps, I input, H state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

import seqgen

B, T, I, H = 4, 9, 5, 7
tanh = np.tanh


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def layer_normed(a, gain=1.0, shift=0.0):
    return (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5) * gain + shift


def relu(a):
    return np.maximum(a, 0)


def make(form: type[seqgen.Cell], **options: Any) -> seqgen.Cell:
    """A cell in float64, no parameter of which is a constant any more."""
    torch.manual_seed(0)
    cell = form(I, H, **options).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return cell


def numbers(cell: seqgen.Cell) -> dict[str, np.ndarray]:
    """The parameters by name."""
    return {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}


def blocks(matrix: np.ndarray) -> np.ndarray:
    """The rows of each gate."""
    return matrix.reshape(-1, H, *matrix.shape[1:])


def over_time(equations: Callable[..., Sequence[np.ndarray]], state: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    """The outputs (B, T, H); ``equations`` of (x, *state) give the next state, the output first."""
    outputs = []
    for t in range(x.shape[1]):
        state = equations(x[:, t], *state)
        outputs.append(state[0])
    return np.stack(outputs, 1)


def check(cell: seqgen.Cell, equations: Callable[..., Sequence[np.ndarray]], leaves: int) -> None:
    """The cell's output is that of its equations, from a state of ``leaves`` zeros (B, H), to 1e-9."""
    x_BTI = torch.randn(B, T, I, dtype=torch.float64)
    y_BTH, _ = cell(x_BTI, cell.initial_state(B))
    expected = over_time(equations, [np.zeros((B, H))] * leaves, x_BTI.numpy())
    assert np.allclose(y_BTH.detach().numpy(), expected, rtol=1e-9, atol=1e-9)
