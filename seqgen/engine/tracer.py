"""The tracer: runs a step once and returns its operations and those of its derivative.

The step runs under torch's autograd while a dispatch mode records every operation beneath it: first those of the step,
then those of its derivative. The result is two straight lists of operations, free of autograd, which ``loop_runner``
runs over time. The derivative is torch's own; nothing here knows how to differentiate. A step that a list of operations
cannot repeat is refused by an error that names the reason.

The weight of a ``Recurrent`` is treated as a constant while the derivative is traced. The gradient of the product is
kept instead, so that the weight's gradient is one product over all steps.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode

from seqgen.engine.autograd_utils import InjectGradients
from seqgen.engine.ir import Name, Operation, Product, Trace
from seqgen.engine.torch_compat import TracingMode, schema_of
from seqgen.protocols import State
from seqgen.states import list_leaves, map_state, output_and_state, structure_difference


class Untraceable(Exception):
    """The step does something that a list of operations cannot repeat; the message names it."""


class ReplacesBuffer(Untraceable):
    """The step replaces a buffer by another tensor, so that each batch finds other buffers than the one before."""

    def __init__(self) -> None:
        super().__init__("it replaces a buffer by another tensor")


class ForbidValues(TorchFunctionMode):
    """A mode in which the conversions of tensors to Python values or arrays that dispatch no operation raise."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _CONVERSIONS:
            raise Untraceable(f"it reads the values of a tensor ({func.__name__})")
        return func(*args, **(kwargs or {}))


_CONVERSIONS = (Tensor.tolist, Tensor.numpy, Tensor.__array__, Tensor.__dlpack__)


_active = threading.local()


def traced_product(weight: Tensor, bias: Tensor | None, h: Tensor) -> Tensor | None:
    """Return the result of a ``Recurrent`` while a step is traced; None while none is, or if its weight is computed."""
    tracer: _Tracer | None = getattr(_active, "tracer", None)
    if tracer is None or not isinstance(weight, nn.Parameter) or not isinstance(bias, nn.Parameter | None):
        return None
    return tracer.product(weight, bias, h)


def _key(tensor: Tensor) -> tuple[Any, ...]:
    """Return a key that two tensors share only if they are the same values: all tensors of a trace are kept alive."""
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


class _Tracer(TracingMode):
    """A dispatch mode that records every operation within it."""

    def __init__(self, constants: dict[str, Tensor], p_BP: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.constants, self.dtype, self.on_gpu = constants, p_BP.dtype, p_BP.is_cuda
        self.names: dict[tuple[Any, ...], Name] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, torch.dtype] = {}
        self.alive: list[Tensor] = []
        self.operations: list[Operation] = []
        self.products: list[tuple[Product, GradientEdge]] = []
        self.inputs: set[str] = set()
        for name, tensor in constants.items():
            self.add_input(tensor, name)

    def add_input(self, tensor: Tensor, name: str) -> None:
        """Name a tensor that no recorded operation makes."""
        self.inputs.add(self.name(tensor, name))

    def name(self, tensor: Tensor, name: str = "") -> str:
        """Return the name of a tensor; give it one if it has none."""
        if tensor.numel() == 0 or tensor.layout is not torch.strided:
            raise Untraceable("it uses an empty or sparse tensor")
        if _key(tensor) not in self.names:
            self.names[_key(tensor)] = Name(name or f"v{len(self.shapes)}")
            self.shapes[self.names[_key(tensor)]] = tuple(tensor.shape)
            self.dtypes[self.names[_key(tensor)]] = tensor.dtype
            self.alive.append(tensor)
        return self.names[_key(tensor)]

    def named(self, value: Any) -> Any:
        """Return an argument with names in the place of its tensors."""
        if isinstance(value, Tensor):
            if _key(value) not in self.names:
                if isinstance(value, nn.Parameter):
                    what = "it uses a parameter that is not registered with its module, as in a plain list"
                    raise Untraceable(f"{what}, so that it is neither trained nor saved; use nn.ParameterList")
                what = "it uses a tensor that is neither input, state, parameter nor buffer"
                raise Untraceable(
                    f"{what}, such as one made in the step (register_buffer keeps a constant) or changed by slice"
                )
            return self.names[_key(value)]
        if isinstance(value, list | tuple):
            return type(value)(self.named(item) for item in value)
        return value

    def product(self, weight: nn.Parameter, bias: nn.Parameter | None, h: Tensor) -> Tensor:
        """Return ``h W' + b`` with the weight as a constant."""
        z = nn.functional.linear(h, weight.detach(), None if bias is None else bias.detach())
        if not z.requires_grad:
            z = z.detach().requires_grad_()
        if z.dtype != self.dtype:
            raise Untraceable("its dtype differs from that of the projection")
        product = Product(weight, bias, self.named(h))  # named now: both may be changed in place later
        if product.argument in self.constants:
            raise Untraceable("it applies a Recurrent to a parameter or buffer; use nn.Linear")
        self.products.append((product, get_gradient_edge(z)))
        return z

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        named = self.named(args), {key: self.named(value) for key, value in kwargs.items()}
        key = _key(args[0]) if args and isinstance(args[0], Tensor) else None  # some change it, as squeeze_
        random = torch.get_rng_state() if torch.Tag.nondeterministic_seeded in func.tags else None
        if torch.Tag.dynamic_output_shape in func.tags and not _is_by_positions(func, args):
            raise Untraceable(f"the shape of the result of {func} depends on the values of a tensor")
        result = func(*args, **kwargs)
        # Attention without dropout uses no random numbers; on a GPU that would not be seen.
        if random is not None and (self.on_gpu or not torch.equal(random, torch.get_rng_state())):
            raise Untraceable(f"{func} is random: random numbers belong in noise()")
        if schema_of(func).is_mutable:
            if key is None:
                raise Untraceable(f"{func} changes several tensors in place")
            func = self._functional_form(func, args[0], key)
        outputs = result if isinstance(result, list | tuple) else (result,)
        if not all(output is None or isinstance(output, Tensor) for output in outputs):
            raise Untraceable(f"it reads the values of a tensor ({func})")
        fresh = [output is not None and _key(output) not in self.names for output in outputs]
        names = tuple("_" if output is None else self.name(output) for output in outputs)
        if any(fresh):  # else the result has a name already, as that of detach
            results = tuple(name if new else "_" for name, new in zip(names, fresh, strict=True))
            self.operations.append(Operation(func, *named, results, isinstance(result, list | tuple)))
        return result

    def _functional_form(self, func: Any, target: Tensor, key: tuple[Any, ...]) -> Any:
        """Return the form of an in-place operation that makes a new tensor, which is recorded in its place.

        Args:
            func: the operation, which has run.
            target: the tensor it changed.
            key: of the target before.
        """
        storage = target.untyped_storage().data_ptr()
        others = [tensor for tensor in self.alive if tensor.untyped_storage().data_ptr() != storage]
        if len(others) < len(self.alive) - 1 or self.names[key] in self.inputs:
            raise Untraceable(f"{func} changes in place a tensor that is used elsewhere")
        schema = schema_of(func)
        packet = getattr(torch.ops.aten, schema.name.removeprefix("aten::").removesuffix("_"), None)
        overload = schema.overload_name or "default"
        if not schema.name.endswith("_") or overload not in (packet.overloads() if packet else ()):
            raise Untraceable(f"{func} has no out-of-place form")
        self.alive = others
        del self.names[key]
        return getattr(packet, overload)


def _is_by_positions(func: Any, args: tuple[Any, ...]) -> bool:
    """Return whether an operation selects by positions, not by truth values."""
    if func is not torch.ops.aten.index.Tensor:
        return False
    return not any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])


Step = Callable[[Tensor, State], tuple[Tensor, State]]


def trace_step(step: Step, module: nn.Module, p_BP: Tensor, state: State) -> Trace:
    """Run a step once and return its operations and those of its derivative.

    Args:
        step: returns y and the next state.
        module: whose parameters and buffers it may read.
        p_BP: an input of the shape and type to trace for.
        state: a state of the shapes and types to trace for.

    Raises:
        Untraceable: the step is random, changes tensors in place, or depends on their values, or its state is complex.
    """
    constants = {f"c{index}": tensor for index, tensor in enumerate([*module.parameters(), *module.buffers()])}
    p_BP = _independent_copy(p_BP)
    state = map_state(_independent_copy, state)
    tracer, trace = _Tracer(constants, p_BP), Trace(constants=constants)
    tracer.add_input(p_BP, "p")
    leaves = list_leaves(state)
    if any(leaf.is_complex() for leaf in leaves):
        raise Untraceable("its state is complex; its real and its imaginary part as two tensors can be traced")
    for index, leaf in enumerate(leaves):
        tracer.add_input(leaf, f"s{index}")
    try:
        _active.tracer = tracer
        with torch.enable_grad(), ForbidValues(), tracer:
            y_BH, after = output_and_state(step(p_BP, state), "step")
    finally:
        _active.tracer = None
    if not all(map(operator.is_, constants.values(), [*module.parameters(), *module.buffers()])):
        raise ReplacesBuffer
    ends = list_leaves(after)
    if [(leaf.shape, leaf.dtype) for leaf in leaves] != [(leaf.shape, leaf.dtype) for leaf in ends]:
        raise Untraceable("its state changes shape or type")
    if structure_difference(state, after) is not None:
        raise Untraceable("its state changes structure")
    if y_BH.dtype != p_BP.dtype:
        raise Untraceable("its dtype differs from that of the projection")
    trace.output = tracer.named(y_BH)
    trace.states = [tracer.named(leaf) for leaf in ends]
    trace.forward, tracer.operations = tracer.operations, []
    _trace_derivative(tracer, trace, p_BP, leaves, y_BH, ends)
    return trace


def _trace_derivative(
    tracer: _Tracer, trace: Trace, p_BP: Tensor, leaves: list[Tensor], y_BH: Tensor, ends: list[Tensor]
) -> None:
    """Add the operations of the derivative to a trace."""
    outputs, gradients = [], []
    for tensor, name in ((y_BH, "dy"), *((leaf, f"d{index}") for index, leaf in enumerate(ends))):
        if tensor.requires_grad:
            outputs.append(tensor)
            gradients.append(torch.ones_like(tensor, memory_format=torch.contiguous_format))
            tracer.add_input(gradients[-1], name)
    if not outputs:
        raise Untraceable("neither its output nor its state has a gradient")
    parameters = [
        parameter
        for parameter in trace.constants.values()
        if isinstance(parameter, nn.Parameter) and parameter.requires_grad
    ]
    products = [edge for _, edge in tracer.products]
    wanted: list[Any] = [p_BP, *(leaf for leaf in leaves if leaf.requires_grad), *products, *parameters]
    with torch.enable_grad():
        total = InjectGradients.apply(gradients, *outputs)  # type: ignore[no-untyped-call]
    tracer.add_input(total, "total")
    with tracer:
        found = torch.autograd.grad(total, wanted, allow_unused=True)
    names = iter([None if gradient is None else tracer.named(gradient) for gradient in found])
    trace.d_input = next(names)
    trace.d_states = [next(names) if leaf.requires_grad else None for leaf in leaves]
    for product, _ in tracer.products:
        product.gradient = next(names)
        trace.products.append(product)
    trace.d_parameters = [
        (parameter, name) for parameter, name in zip(parameters, names, strict=True) if name is not None
    ]
    trace.backward = tracer.operations
    trace.shapes, trace.dtypes = tracer.shapes, tracer.dtypes


def _independent_copy(tensor: Tensor) -> Tensor:
    copy = tensor.detach().clone(memory_format=torch.contiguous_format)
    return copy.requires_grad_() if copy.is_floating_point() else copy
