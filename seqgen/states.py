"""Helpers on states: nested tuples, lists and dicts of tensors, whose first dimension is the batch B."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from seqgen.protocols import State


def map_state(function: Callable[[Tensor], Any], state: State) -> State:
    """Return the state with ``function`` applied to every leaf.

    The parts of a dict take turns by their keys: a step may return them in another order than ``initial_state``.
    """
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, dict):
        by_key = {key: map_state(function, state[key]) for key in in_order(state)}
        return {key: by_key[key] for key in state}
    if not isinstance(state, tuple | list):
        raise TypeError(f"a state is made of tensors in tuples, lists and dicts, not of {type(state).__name__}")
    values = [map_state(function, value) for value in state]
    if isinstance(state, list):
        return values
    return type(state)(*values) if hasattr(state, "_fields") else tuple(values)


def in_order(state: Mapping[Any, Any]) -> list[Any]:
    """Return the keys of a part of a state in an order that does not depend on how it was made."""
    return sorted(state, key=repr)


def map_pairs(function: Callable[[Tensor, Tensor], Any], state: State, other: State) -> State:
    """Return the first state with ``function`` applied to every leaf and the same leaf of the other state.

    Raises:
        TypeError: the states differ in structure.
    """
    if (difference := structure_difference(state, other)) is not None:
        raise TypeError(f"cannot match two states: one has {difference[0]} where the other has {difference[1]}")
    others = iter(list_leaves(other))
    return map_state(lambda leaf: function(leaf, next(others)), state)


def list_leaves(state: State) -> list[Tensor]:
    """Return the leaves of a state, in the order of ``map_state``."""
    leaves: list[Tensor] = []
    map_state(leaves.append, state)
    return leaves


def has_features(leaf: Tensor) -> bool:
    """Return whether a leaf holds real or complex numbers, unlike a counter or a mask."""
    return leaf.is_floating_point() or leaf.is_complex()


def output_and_state(found: Any, what: str) -> tuple[Tensor, State]:
    """Return the result of a step or a cell if it is a pair.

    Args:
        found: the result.
        what: the method it comes from, for the message.

    Raises:
        TypeError: it is not a tuple of two; a tensor with two rows would unpack as a pair.
    """
    if not isinstance(found, tuple) or len(found) != 2:
        seen = f"{len(found)} values" if isinstance(found, tuple) else type(found).__name__
        raise TypeError(f"{what} must return (output, state), not {seen}")
    return found


def structure_difference(before: Any, after: Any) -> tuple[str, str] | None:
    """Describe the first difference in structure of two states: the part of the one and of the other; None if equal.

    The leaves may be of any type: a wrong state is described too.
    """
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return None
    pairs: list[tuple[Any, Any]]
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        pairs = [(value, after[key]) for key, value in before.items()]
    elif isinstance(before, tuple | list) and type(before) is type(after) and len(before) == len(after):
        pairs = list(zip(before, after, strict=True))
    else:
        return _describe(before), _describe(after)
    return next((found for pair in pairs if (found := structure_difference(*pair)) is not None), None)


def _describe(state: Any) -> str:
    if isinstance(state, dict):
        return "{" + ", ".join(f"{key!r}: {_describe(value)}" for key, value in state.items()) + "}"
    if isinstance(state, tuple | list):
        begin, end = "[]" if isinstance(state, list) else "()"
        name = type(state).__name__ if hasattr(state, "_fields") else ""
        return f"{name}{begin}{', '.join(map(_describe, state))}{end}"
    return "tensor" if isinstance(state, Tensor) else repr(state)[:40]


def join_rows(state: State, other: State) -> State:
    """Return the rows of two states of equal structure, one after another."""
    return map_pairs(lambda *pair: torch.cat(pair), state, other)


def select_rows(state: State, rows_N: Tensor) -> State:
    """Return the state of some rows of the batch, in the order of their indices."""
    return map_state(lambda leaf: torch.index_select(leaf, 0, rows_N), state)
