"""The contract of a cell, and what core does with states it knows nothing of.

Dimension letters: B batch, T steps, I cell input, H cell output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqgen.protocols import State


class Cell(nn.Module):
    """One layer: a function of (input, state) to (output, state).

    Subclass it to mix time freely; subclass :class:`seqgen.StepCell` to write only the equations of one step.

    Args:
        input_size: I, features of the input.
        hidden_size: the size of the state, and of the output unless ``output_size`` is set to another.
    """

    output_size: int

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = hidden_size

    def initial_state(self, batch_size: int) -> State:
        """The state before the first step: a nested tuple, list or dict of tensors, every leaf (B, ...)."""
        raise NotImplementedError(f"{type(self).__name__} has no method initial_state")

    def forward(self, x_BTI: Tensor, state: State) -> tuple[Tensor, State]:
        """Run over time.

        Args:
            x_BTI: the inputs; T is 1 when sampling.
            state: the state before the first of them; never modified.

        Returns:
            The outputs (B, T, H) and the state after the last step.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method forward")

    def zeros(self, batch_size: int) -> Tensor:
        """Zeros (B, H) of this module's type and device, for ``initial_state``."""
        like = first_parameter(self)
        assert like is not None, "a cell without parameters makes its own state"
        return like.new_zeros(batch_size, self.hidden_size)


def first_parameter(module: nn.Module) -> nn.Parameter | None:
    """What ``next(module.parameters())`` gives, at a tenth of its price; None if there is none."""
    for parameter in module._parameters.values():
        if parameter is not None:
            return parameter
    for child in module._modules.values():
        if child is not None and (found := first_parameter(child)) is not None:
            return found
    return None


def list_tensors(module: nn.Module) -> list[Tensor]:
    """Its parameters and buffers, at a third of the price of asking the module for them; shared ones more than once."""
    tensors = [tensor for tensor in (*module._parameters.values(), *module._buffers.values()) if tensor is not None]
    for child in module._modules.values():
        if child is not None:
            tensors += list_tensors(child)
    return tensors


def has_hooks(module: nn.Module) -> bool:
    """Whether somebody wants to know when this module is called, or of the gradients of what it gives."""
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, name) for name in names)


def map_state(function: Callable[[Tensor], Any], state: State) -> State:
    """The state with ``function`` applied to every leaf."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, dict):
        return {key: map_state(function, value) for key, value in state.items()}
    if not isinstance(state, tuple | list):
        raise TypeError(f"a state is made of tensors in tuples, lists and dicts, not of {type(state).__name__}")
    values = [map_state(function, value) for value in state]
    if isinstance(state, list):
        return values
    return type(state)(*values) if hasattr(state, "_fields") else tuple(values)


def list_leaves(state: State) -> list[Tensor]:
    """The leaves of a state, in the order of ``map_state``."""
    leaves: list[Tensor] = []
    map_state(leaves.append, state)
    return leaves


def output_and_state(found: Any, what: str) -> tuple[Tensor, State]:
    """What a step or a cell gives.

    Raises:
        TypeError: it is something else; a batch of two outputs would pass for a pair.
    """
    if not isinstance(found, tuple) or len(found) != 2:
        seen = f"{len(found)} values" if isinstance(found, tuple) else type(found).__name__
        raise TypeError(f"{what} must return (output, state), not {seen}")
    return found


def form_difference(before: Any, after: Any) -> tuple[str, str] | None:
    """Where two states are nested in different ways: what stands there in the one and in the other.

    They may hold anything, since a state that is wrong does.
    """
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return None
    pairs: list[tuple[Any, Any]]
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        pairs = [(value, after[key]) for key, value in before.items()]
    elif isinstance(before, tuple | list) and type(before) is type(after) and len(before) == len(after):
        pairs = list(zip(before, after, strict=True))
    else:
        return _form(before), _form(after)
    return next((found for pair in pairs if (found := form_difference(*pair)) is not None), None)


def _form(state: Any) -> str:
    if isinstance(state, dict):
        return "{" + ", ".join(f"{key!r}: {_form(value)}" for key, value in state.items()) + "}"
    if isinstance(state, tuple | list):
        begin, end = "[]" if isinstance(state, list) else "()"
        name = type(state).__name__ if hasattr(state, "_fields") else ""
        return f"{name}{begin}{', '.join(map(_form, state))}{end}"
    return "tensor" if isinstance(state, Tensor) else repr(state)[:40]


def join_rows(state: State, other: State) -> State:
    """The rows of two states of the same form, one after another."""
    others = iter(list_leaves(other))
    return map_state(lambda leaf: torch.cat((leaf, next(others))), state)


def select_rows(state: State, rows_N: Tensor) -> State:
    """The state of some rows of the batch, in the order of their indices."""
    return map_state(lambda leaf: torch.index_select(leaf, 0, rows_N), state)
