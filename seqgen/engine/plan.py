"""What has to be computed at each step, forward and backward, and what must be kept from the one for the other."""

from __future__ import annotations

import torch
from torch import nn

from seqgen.engine.ir import Operation, Recording
from seqgen.engine.peephole import inputs, simplify

_aten = torch.ops.aten


class Plan:
    """A recording, simplified.

    Args:
        recording: of a step.

    Attributes:
        recording: what it was made from.
        forward: the operations of the step.
        backward: those of its derivative.
        states: the names of the leaves of the state before a step.
        d_states: those of the gradients of the leaves of the state after a step.
        shifted: a state that is the output of the step before and the argument of a product; None if there is none.
        kept: values of ``forward`` that ``backward``, or the gradient of a product, needs.
        collected: the gradients that are wanted of every step: of p and of the products, each once.
        sums: parameters used directly, with the value that is summed over time for their gradient and whether the
            batch is to be summed after that.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.states = [f"s{index}" for index in range(len(recording.states))]
        self.d_states = [f"d{index}" for index in range(len(recording.states))]
        self.sums = [_sum_late(parameter, name, recording.backward) for parameter, name in recording.d_parameters]
        gradients = (recording.d_input, *(product.gradient for product in recording.products))
        self.collected = list(dict.fromkeys(name for name in gradients if name is not None))
        ends = [*self.collected, *(name for name in recording.d_states if name), *(name for _, name, _ in self.sums)]
        on_cpu = all(constant.device.type == "cpu" for constant in recording.constants.values())
        self.backward = simplify(recording.backward, ends, recording.shapes, on_cpu=on_cpu)
        made = {"p", *self.states, *(name for op in recording.forward for name in op.results)}
        arguments = [product.argument for product in recording.products]
        self.shifted = next((name for name in arguments if self._is_output_before(name)), None)
        arguments = [name for name in arguments if name != self.shifted]
        needed = [*ends, *(name for op in self.backward for name in inputs(op)), *arguments]
        self.kept = [name for name in dict.fromkeys(needed) if name in made]
        results = [recording.output, *recording.states, *self.kept]
        self.forward = simplify(recording.forward, results, recording.shapes, on_cpu=on_cpu)

    def _is_output_before(self, name: str) -> bool:
        return name in self.states and self.recording.states[self.states.index(name)] == self.recording.output

    def before(self) -> list[str]:
        """The names of the gradients of the leaves before a step; where there is none, zeros."""
        pairs = zip(self.recording.d_states, self.d_states, strict=True)
        return [name or f"torch.zeros_like({end})" for name, end in pairs]


def _sum_late(parameter: nn.Parameter, name: str, operations: list[Operation]) -> tuple[nn.Parameter, str, bool]:
    """Where each step sums the batch for a parameter's gradient: what it sums, to be summed over time first."""
    by_result = {op.results[0]: op for op in operations}
    op = by_result.get(name)
    while op is not None and op.function is _aten.view.default:
        op = by_result.get(op.args[0])
    if op is not None and op.function is _aten.sum.dim_IntList and list(op.args[1]) == [0]:
        return parameter, op.args[0], True
    return parameter, name, False
