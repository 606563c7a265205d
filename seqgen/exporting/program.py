"""The step of a network as a program of torch's core operations."""

from __future__ import annotations

import copy
import inspect
import warnings
from typing import Any

import torch
from torch import Tensor

from seqgen.errors import ExportRefused, one_line
from seqgen.exporting.step import OneStep
from seqgen.model import evaluation_mode
from seqgen.tokenizers import BOS

_ROWS, _STEPS = 3, 3  # sizes of 0 and 1 would be taken for constants


def traced_program(step: OneStep) -> Any:
    """Return a ``torch.export.ExportedProgram`` of a step, for any number of rows, in core operations of ATen.

    Its inputs are the ids (B,), int64, and the leaves of the state; its results the logits (B, V) and the leaves. Its
    operations change nothing in place. The dimensions in ``step.growing`` may have any size, but ``program.module()``
    refuses sizes of 0 and 1, which torch takes for special cases.

    Raises:
        ExportRefused: the step does what a fixed list of operations cannot repeat; the line has torch's reason.
    """
    from torch import export

    with warnings.catch_warnings(), evaluation_mode(step), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's own, about its own code
        ids_B = torch.full((_ROWS,), BOS)
        leaves = step.initial_leaves(_ROWS)
        for _ in range(_STEPS if step.growing else 0):
            _, *leaves = step(ids_B, *leaves)
        leaves = [leaf.clone(memory_format=torch.contiguous_format) for leaf in leaves]
        try:
            program = export.export(
                _with_named_leaves(step, len(leaves)), (ids_B, *leaves),
                dynamic_shapes=_shapes(step, leaves), strict=False,
            )  # fmt: skip
            return program.run_decompositions()
        except Exception as error:
            raise ExportRefused(
                f"cannot export this model: its step cannot be traced: {type(error).__name__}: {one_line(error)}"
            ) from error


def _with_named_leaves(step: OneStep, n_leaves: int) -> OneStep:
    """Return the step with a parameter of its own for each leaf.

    torch 2.9 writes the checks of shapes of ``*leaves`` with names that its program does not have, and fails with
    "name 'L' is not defined".
    """
    names = ["ids_B", *(f"leaves_{number}" for number in range(n_leaves))]

    def forward(*inputs: Tensor) -> tuple[Tensor, ...]:
        return step.forward(*inputs)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    forward.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    named = copy.copy(step)
    named.forward = forward  # type: ignore[assignment]
    return named


def _shapes(step: OneStep, leaves: list[Tensor]) -> tuple[Any, ...]:
    """Return which dimensions of the inputs may have any size."""
    from torch.export import Dim

    any_size = Dim.DYNAMIC
    of_leaves = [
        {0: any_size} | {dim: any_size for number, dim in step.growing if number == leaf} for leaf in range(len(leaves))
    ]
    return ({0: any_size}, *of_leaves)
