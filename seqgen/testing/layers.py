"""Small float64 cells and models for the checks of sequence computation.

Dimension letters: B batch, T steps, I cell input, H cell output, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqgen.cells import Cell
from seqgen.protocols import Model, State, learns
from seqgen.states import in_order
from seqgen.testing.check import Subject
from seqgen.torch_modules import check_module

B, T, I, H, V = 3, 7, 5, 6, 11  # noqa: E741  # the usual dimension letters
CLOSE = 1e-9  # in float64, for results that differ in the order of additions only


class LeakyCell(Cell):
    """A minimal cell, h' = h / 2 + W x, to build a model with."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h, (B, H)."""
        return self.zeros(batch_size)

    def forward(self, x_BTI: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the sequence step by step."""
        outputs = []
        for u_BH in self.input(x_BTI).unbind(1):
            state = state / 2 + u_BH
            outputs.append(state)
        return torch.stack(outputs, 1), state


@dataclass(frozen=True)
class Layer:
    """A module under test: a function of (input, state) to (output, state).

    Attributes:
        module: a cell or a model.
        n_features: input features; 0 where the input is ids.
        size: output features.
        dtype: of its computations.
    """

    module: nn.Module
    n_features: int
    size: int
    dtype: torch.dtype

    def inputs(self, batch_size: int = B, n_steps: int = T) -> Tensor:
        """Return random inputs (B, T, I), or ids (B, T)."""
        if self.n_features:
            return torch.randn(batch_size, n_steps, self.n_features, dtype=self.dtype)
        return torch.randint(V, (batch_size, n_steps))

    def start(self, batch_size: int = B) -> State:
        """Return the initial state."""
        state: State = self.module.initial_state(batch_size)  # type: ignore[operator]
        return state

    def run(self, x: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return outputs and last state, by default from the initial state."""
        found = self.module(x, self.start(len(x)) if state is None else state)
        assert isinstance(found, tuple) and len(found) == 2, f"it returns {type(found).__name__}, not (output, state)"
        return found


def layer_of(
    subject: Subject,
    *,
    dtype: torch.dtype = torch.float64,
    training: bool = False,
    sizes: tuple[int, int] = (I, H),
    seed: int = 0,
) -> Layer:
    """Return the cell or model of a spec, with seeded weights.

    Args:
        subject: what to check.
        dtype: of its weights.
        training: whether it is in training mode.
        sizes: features and units of a cell.
        seed: of its weights.
    """
    torch.manual_seed(seed)
    if subject.spec.kind == "cell":
        module: Any = subject.build(*sizes)
        assert isinstance(module, Cell), f"load returns {type(module).__name__}, not a seqgen.Cell"
        check_module("cell", module, "it")
        features, size = sizes[0], module.output_size
    else:
        module = subject.build(*([V, LeakyCell] if subject.spec.uses_cell else [V]))
        assert isinstance(module, nn.Module) and isinstance(module, Model), (
            f"load returns {type(module).__name__}, not a torch.nn.Module with initial_state and forward"
        )
        check_module("model", module, "it")
        features, size = 0, V
    module = module.to(dtype).train(training)
    if learns(module):  # a counting model needs some counts
        for _ in range(3):
            module.learn(torch.randint(V, (B, T)), torch.randint(V, (B, T)))
    return Layer(module, features, size, dtype)


def leaves_of(state: State) -> list[Tensor]:
    """Return the tensors of a state.

    Raises:
        AssertionError: the state holds something else.
    """

    def walk(part: Any) -> Iterator[Tensor]:
        if isinstance(part, Tensor):
            yield part
        else:
            assert isinstance(part, tuple | list | dict), (
                f"the state holds a value of type {type(part).__name__}, not only tensors"
            )
            for inner in map(part.get, in_order(part)) if isinstance(part, dict) else part:
                yield from walk(inner)

    return list(walk(state))


def copy_leaves(state: State) -> list[Tensor]:
    """Return copies of the tensors of a state."""
    return [leaf.detach().clone() for leaf in leaves_of(state)]


def close(one: Tensor, other: Tensor, tolerance: float = CLOSE) -> bool:
    """Return whether two tensors are equal up to rounding."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=tolerance, atol=tolerance)


def same(some: Iterable[Tensor], others: Iterable[Tensor]) -> bool:
    """Return whether two lists of tensors are bit-identical."""
    some, others = list(some), list(others)
    return len(some) == len(others) and all(map(torch.equal, some, others))


def trained_parameters(layer: Layer) -> dict[str, nn.Parameter]:
    """Return the trained parameters, by name."""
    return {name: parameter for name, parameter in layer.module.named_parameters() if parameter.requires_grad}
