"""The equations of a step, recorded once as the tensor operations that they and their derivative come to.

A step is run once under torch's autograd while every operation beneath it is noted: first those of the step, then
those of its derivative. What remains are two straight lists of operations, free of autograd, which ``loops`` runs
over time. The derivative is torch's own; nothing here knows how to differentiate.

The weight of a ``Recurrent`` is treated apart: it is held fixed while the derivative is noted, and what is kept
instead is the gradient of the product, so that the weight's gradient is one product over all steps.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from seqgen.engine.autograd_utils import Given
from seqgen.engine.ir import Name, Operation, Product, Recording
from seqgen.engine.torch_compat import TorchDispatchMode, schema_of
from seqgen.engine.untraceable import CannotRecord, ReplacesBuffer, Unseen
from seqgen.protocols import State
from seqgen.states import list_leaves, map_state, output_and_state

_recording = threading.local()


def recorded_product(weight: Tensor, bias: Tensor | None, h: Tensor) -> Tensor | None:
    """What a ``Recurrent`` gives while a step is recorded; None while none is, or where its weight is computed."""
    recorder: _Recorder | None = getattr(_recording, "recorder", None)
    if recorder is None or not isinstance(weight, nn.Parameter) or not isinstance(bias, nn.Parameter | None):
        return None
    return recorder.product(weight, bias, h)


def _identity(tensor: Tensor) -> tuple[Any, ...]:
    """What two tensors share only if they are the same values: all of a recording are kept alive."""
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


class _Recorder(TorchDispatchMode):
    """Notes every operation that runs within it."""

    def __init__(self, constants: dict[str, Tensor], p_BP: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.constants, self.dtype, self.on_gpu = constants, p_BP.dtype, p_BP.is_cuda
        self.names: dict[tuple[Any, ...], Name] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, torch.dtype] = {}
        self.kept: list[Tensor] = []
        self.operations: list[Operation] = []
        self.products: list[tuple[Product, GradientEdge]] = []
        self.inputs: set[str] = set()
        for name, tensor in constants.items():
            self.given(tensor, name)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would import its compiler, for seconds, to keep it away from this class."""
        return False

    def given(self, tensor: Tensor, name: str) -> None:
        """Name what comes from outside."""
        self.inputs.add(self.name(tensor, name))

    def name(self, tensor: Tensor, name: str = "") -> str:
        """Give a tensor a name, unless it has one."""
        if tensor.numel() == 0 or tensor.layout is not torch.strided:
            raise CannotRecord("an empty or sparse tensor")
        if _identity(tensor) not in self.names:
            self.names[_identity(tensor)] = Name(name or f"v{len(self.shapes)}")
            self.shapes[self.names[_identity(tensor)]] = tuple(tensor.shape)
            self.dtypes[self.names[_identity(tensor)]] = tensor.dtype
            self.kept.append(tensor)
        return self.names[_identity(tensor)]

    def known(self, value: Any) -> Any:
        """An argument with names for its tensors."""
        if isinstance(value, Tensor):
            if _identity(value) not in self.names:
                if isinstance(value, nn.Parameter):
                    what = "a parameter that its module does not know, as in a plain list"
                    raise CannotRecord(f"{what}: it is neither trained nor saved; nn.ParameterList makes it known")
                what = "a tensor that is neither input, state, parameter nor buffer"
                raise CannotRecord(f"{what}, as a number that is written into a part of another")
            return self.names[_identity(value)]
        if isinstance(value, list | tuple):
            return type(value)(self.known(item) for item in value)
        return value

    def product(self, weight: nn.Parameter, bias: nn.Parameter | None, h: Tensor) -> Tensor:
        """``h W' + b`` with the weight held fixed."""
        z = nn.functional.linear(h, weight.detach(), None if bias is None else bias.detach())
        if not z.requires_grad:
            z = z.detach().requires_grad_()
        if z.dtype != self.dtype:
            raise CannotRecord("numbers of another type than those of the projection")
        product = Product(weight, bias, self.known(h))  # as they are now: both may be changed in place later
        if product.argument in self.constants:
            raise CannotRecord("a Recurrent of a parameter or buffer, where a Linear would do")
        self.products.append((product, get_gradient_edge(z)))
        return z

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        known = self.known(args), {key: self.known(value) for key, value in kwargs.items()}
        first = _identity(args[0]) if args and isinstance(args[0], Tensor) else None  # some change it, as squeeze_
        drawn = torch.get_rng_state() if torch.Tag.nondeterministic_seeded in func.tags else None
        result = func(*args, **kwargs)
        # Attention without dropout draws nothing; on a GPU that would not be seen.
        if drawn is not None and (self.on_gpu or not torch.equal(drawn, torch.get_rng_state())):
            raise CannotRecord(f"{func} is random: draw in noise()")
        if schema_of(func).is_mutable:
            if first is None:
                raise CannotRecord(f"{func} changes several tensors in place")
            func = self._without_effect(func, args[0], first)
        outputs = result if isinstance(result, list | tuple) else (result,)
        if not all(output is None or isinstance(output, Tensor) for output in outputs):
            raise CannotRecord(f"it looks at the values of a tensor ({func})")
        fresh = [output is not None and _identity(output) not in self.names for output in outputs]
        names = tuple("_" if output is None else self.name(output) for output in outputs)
        if any(fresh):  # else it is a tensor that has a name already, as detach gives
            results = tuple(name if new else "_" for name, new in zip(names, fresh, strict=True))
            self.operations.append(Operation(func, *known, results, isinstance(result, list | tuple)))
        return result

    def _without_effect(self, func: Any, target: Tensor, identity: tuple[Any, ...]) -> Any:
        """The form of an in-place operation that gives a new tensor, under which it is noted.

        Args:
            func: the operation, which has been done.
            target: what it changed.
            identity: of the target before.
        """
        storage = target.untyped_storage().data_ptr()
        others = [tensor for tensor in self.kept if tensor.untyped_storage().data_ptr() != storage]
        if len(others) < len(self.kept) - 1 or self.names[identity] in self.inputs:
            raise CannotRecord(f"{func} changes a tensor that is seen elsewhere")
        schema = schema_of(func)
        packet = getattr(torch.ops.aten, schema.name.removeprefix("aten::").removesuffix("_"), None)
        overload = schema.overload_name or "default"
        if not schema.name.endswith("_") or overload not in (packet.overloads() if packet else ()):
            raise CannotRecord(f"{func} has no form without effects")
        self.kept = others
        del self.names[identity]
        return getattr(packet, overload)


Step = Callable[[Tensor, State], tuple[Tensor, State]]


def record(step: Step, module: nn.Module, p_BP: Tensor, state: State) -> Recording:
    """Record a step.

    Args:
        step: gives y and the next state.
        module: whose parameters and buffers it may read.
        p_BP: an input of the size that will come.
        state: a state of the size that will come.

    Raises:
        CannotRecord: the step is random, changes tensors in place, or depends on their values.
    """
    constants = {f"c{index}": tensor for index, tensor in enumerate([*module.parameters(), *module.buffers()])}
    p_BP = _fresh(p_BP)
    state = map_state(_fresh, state)
    recorder, recording = _Recorder(constants, p_BP), Recording(constants=constants)
    recorder.given(p_BP, "p")
    leaves = list_leaves(state)
    for index, leaf in enumerate(leaves):
        recorder.given(leaf, f"s{index}")
    try:
        _recording.recorder = recorder
        with torch.enable_grad(), Unseen(), recorder:
            y_BH, after = output_and_state(step(p_BP, state), "step")
    finally:
        _recording.recorder = None
    if not all(map(operator.is_, constants.values(), [*module.parameters(), *module.buffers()])):
        raise ReplacesBuffer
    ends = list_leaves(after)
    if [(leaf.shape, leaf.dtype) for leaf in leaves] != [(leaf.shape, leaf.dtype) for leaf in ends]:
        raise CannotRecord("a state whose size changes")
    if y_BH.dtype != p_BP.dtype:
        raise CannotRecord("numbers of another type than those of the projection")
    recording.output = recorder.known(y_BH)
    recording.states = [recorder.known(leaf) for leaf in ends]
    recording.forward, recorder.operations = recorder.operations, []
    _differentiate(recorder, recording, p_BP, leaves, y_BH, ends)
    return recording


def _differentiate(
    recorder: _Recorder, recording: Recording, p_BP: Tensor, leaves: list[Tensor], y_BH: Tensor, ends: list[Tensor]
) -> None:
    """Note the derivative."""
    outputs, gradients = [], []
    for tensor, name in ((y_BH, "dy"), *((leaf, f"d{index}") for index, leaf in enumerate(ends))):
        if tensor.requires_grad:
            outputs.append(tensor)
            gradients.append(torch.ones_like(tensor, memory_format=torch.contiguous_format))
            recorder.given(gradients[-1], name)
    if not outputs:
        raise CannotRecord("nothing to differentiate")
    parameters = [
        parameter
        for parameter in recording.constants.values()
        if isinstance(parameter, nn.Parameter) and parameter.requires_grad
    ]
    products = [edge for _, edge in recorder.products]
    wanted: list[Any] = [p_BP, *(leaf for leaf in leaves if leaf.requires_grad), *products, *parameters]
    with torch.enable_grad():
        total = Given.apply(gradients, *outputs)  # type: ignore[no-untyped-call]
    recorder.given(total, "total")
    with recorder:
        found = torch.autograd.grad(total, wanted, allow_unused=True)
    names = iter([None if gradient is None else recorder.known(gradient) for gradient in found])
    recording.d_input = next(names)
    recording.d_states = [next(names) if leaf.requires_grad else None for leaf in leaves]
    for product, _ in recorder.products:
        product.gradient = next(names)
        recording.products.append(product)
    recording.d_parameters = [
        (parameter, name) for parameter, name in zip(parameters, names, strict=True) if name is not None
    ]
    recording.backward = recorder.operations
    recording.shapes, recording.dtypes = recorder.shapes, recorder.dtypes


def _fresh(tensor: Tensor) -> Tensor:
    copy = tensor.detach().clone(memory_format=torch.contiguous_format)
    return copy.requires_grad_() if copy.is_floating_point() else copy
