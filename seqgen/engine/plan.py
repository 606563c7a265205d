"""The plan of a step: its optimized operations, and the values that the backward pass needs from the forward pass."""

from __future__ import annotations

import torch
from torch import nn

from seqgen.engine.buffers import is_view
from seqgen.engine.ir import Operation, Trace, show_function
from seqgen.engine.peephole import inputs, simplify

_aten = torch.ops.aten


class Plan:
    """The operations of a trace after the peephole rules, with what each direction reads and returns.

    Args:
        trace: of a step.

    Attributes:
        trace: the same.
        forward: the operations of the step.
        backward: those of its derivative.
        states: the names of the leaves of the state before a step.
        d_states: those of the gradients of the leaves of the state after a step.
        previous_output: a leaf of the state that is the output of the step before and the argument of a product; None
            if there is none. Its values over time are the outputs, shifted by a step, and need not be saved.
        saved: values of ``forward`` that ``backward``, or the gradient of a product, needs.
        read_again: constants that ``backward`` reads, itself or by a view that is saved; they must not change before.
        per_step: gradients that are needed of every step: of p and of the products, each once.
        parameter_sums: parameters used directly, with the value that is summed over time for their gradient and whether
            the batch is to be summed after that.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.states = [f"s{index}" for index in range(len(trace.states))]
        self.d_states = [f"d{index}" for index in range(len(trace.states))]
        self.parameter_sums = [_defer_batch_sum(*pair, trace.backward) for pair in trace.d_parameters]
        gradients = (trace.d_input, *(product.gradient for product in trace.products))
        self.per_step = list(dict.fromkeys(name for name in gradients if name is not None))
        summed = [name for _, name, _ in self.parameter_sums]
        results = [*self.per_step, *(name for name in trace.d_states if name), *summed]
        on_cpu = all(constant.device.type == "cpu" for constant in trace.constants.values())
        self.backward = simplify(trace.backward, results, trace.shapes, on_cpu=on_cpu)
        forward_values = {"p", *self.states, *(name for op in trace.forward for name in op.results)}
        arguments = [product.argument for product in trace.products]
        self.previous_output = next((name for name in arguments if self._is_output_before(name)), None)
        arguments = [name for name in arguments if name != self.previous_output]
        read = [*results, *(name for op in self.backward for name in inputs(op)), *arguments]
        self.saved = [name for name in dict.fromkeys(read) if name in forward_values]
        results = [trace.output, *trace.states, *self.saved]
        self.forward = simplify(trace.forward, results, trace.shapes, on_cpu=on_cpu)
        views = {result: inputs(op) for op in self.forward if is_view(op) for result in op.results}
        pending, seen = read, set[str]()
        while pending:
            name = pending.pop()
            pending += [] if name in seen else views.get(name, [])
            seen.add(name)
        self.read_again = [name for name in trace.constants if name in seen]

    def _is_output_before(self, name: str) -> bool:
        return name in self.states and self.trace.states[self.states.index(name)] == self.trace.output

    def __str__(self) -> str:
        saved = ", ".join(self.saved)
        results = f"{self.trace.output}, [{', '.join(self.trace.states)}], saved: {saved}"
        forward = show_function(f"forward({', '.join(['p', *self.states])})", self.forward, results)
        per_step, sums = ", ".join(self.per_step), ", ".join(name for _, name, _ in self.parameter_sums)
        results = f"[{', '.join(self.d_states_before())}], per step: {per_step}" + (f", summed: {sums}" if sums else "")
        backward = show_function(f"backward({', '.join(['dy', *self.d_states, saved])})", self.backward, results)
        return f"{forward}\n{backward}"

    def d_states_before(self) -> list[str]:
        """Return the names of the gradients of the leaves before a step; for those without one, zeros."""
        pairs = zip(self.trace.d_states, self.d_states, strict=True)
        return [name or f"torch.zeros_like({end})" for name, end in pairs]


def _defer_batch_sum(parameter: nn.Parameter, name: str, operations: list[Operation]) -> tuple[nn.Parameter, str, bool]:
    """Find what each step sums over the batch for a parameter's gradient, so that it is summed over time first.

    Returns:
        The parameter, the value to sum over time, and whether the batch is to be summed after that.
    """
    by_result = {op.results[0]: op for op in operations}
    op = by_result.get(name)
    while op is not None and op.function is _aten.view.default:
        op = by_result.get(op.args[0])
    if op is not None and op.function is _aten.sum.dim_IntList and list(op.args[1]) == [0]:
        return parameter, op.args[0], True
    return parameter, name, False
