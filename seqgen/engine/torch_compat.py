"""Every private name of torch that the core uses, each with what happens where torch does not have it.

| name | used for | without it |
|---|---|---|
| `torch.utils._python_dispatch.TorchDispatchMode` | tracing a step | every step runs eagerly |
| `TorchDispatchMode._should_skip_dynamo` | not importing torch's compiler, which takes seconds | nothing changes |
| `OpOverload._schema` | the out variants and views of an operation | every step runs eagerly |
| `OpOverload._op` | calls with less overhead | the operation itself is called |
| `Variable._execution_engine` | `backward` without the imports of `Tensor.backward` | an autograd function starts it |
| `aten._log_softmax_backward_data` | the gradient of the loss | its formula |
| `torch._fused_adamw_` | one call for the optimizer step | the operations of `torch._foreach_*` |
| `torch._foreach_*` | the optimizer step on lists of tensors | a loop over the tensors |
| `mkldnn._reorder_linear_weight`, `mkldnn._linear_pointwise` | products with wide matrices | `torch.mm` |
| `torch._inductor.lowering`, `.ir`, `.mkldnn_ir` | compiled code that calls oneDNN directly | it calls the operation |
| `torch._C._aoti` | loading compiled libraries from disk | `torch.compile` |
| `torch._inductor.aoti_compile_and_package` | compiling libraries | an error, after which steps run uncompiled |
| `nn.Module._parameters`, `._buffers`, `._modules` | walking a module with few calls | the public iterators |
| `nn.Module._forward_hooks` and the like, `Tensor._backward_hooks` and the like | seeing hooks | hooks are assumed |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

try:
    from torch.utils._python_dispatch import TorchDispatchMode
except ImportError:  # pragma: no cover  # a test removes it in a process of its own

    class TorchDispatchMode:  # type: ignore[no-redef]
        """A mode that cannot be entered: what is to be traced runs eagerly."""

        def __init__(self) -> None:
            raise NotImplementedError(f"torch {torch.__version__} has no TorchDispatchMode")


class TracingMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode whose subclasses torch need not hide from its compiler."""

    _should_skip_dynamo = staticmethod(bool)  # False: else torch imports its compiler, for seconds, to hide them


# -- operations


def schema_of(operation: Any) -> Any:
    """Return the schema of an operation: its name, arguments, results, and whether it changes an argument.

    Raises:
        NotImplementedError: torch does not give it.
    """
    schema = getattr(operation, "_schema", None)
    if schema is None:
        raise NotImplementedError(f"torch {torch.__version__} gives no schema of {operation}")
    return schema


def fast_call(operation: Any) -> Any:
    """Return the callable of an operation with the least overhead."""
    return getattr(operation, "_op", operation)


EXECUTION_ENGINE = getattr(torch.autograd.Variable, "_execution_engine", None)
LOG_SOFTMAX_BACKWARD = getattr(torch.ops.aten, "_log_softmax_backward_data", None)


def log_softmax_backward(dy_NV: Tensor, y_NV: Tensor) -> Tensor:
    """Return the gradient of the argument of ``y = log_softmax(x, -1)``."""
    if LOG_SOFTMAX_BACKWARD is not None:
        gradient: Tensor = LOG_SOFTMAX_BACKWARD(dy_NV, y_NV, -1, y_NV.dtype)
        return gradient
    return dy_NV - y_NV.exp() * dy_NV.sum(-1, keepdim=True)


# -- the optimizer


FUSED_ADAMW = getattr(torch, "_fused_adamw_", None)


def for_each(name: str, tensors: Sequence[Tensor], *arguments: Any) -> Sequence[Tensor]:
    """Apply a tensor method to each tensor of a list, in one call where torch has it.

    Args:
        name: the method, such as ``mul_``.
        tensors: whose method it is.
        arguments: of the method; a list has one for each tensor.
    """
    together = getattr(torch, f"_foreach_{name}", None)
    if together is not None:
        results: Sequence[Tensor] | None = together(tensors, *arguments)
        return tensors if results is None else results
    columns = [value if isinstance(value, list) else [value] * len(tensors) for value in arguments]
    results = []
    for tensor, *values in zip(tensors, *columns, strict=True):
        factor = {"value": values.pop()} if name.startswith(("addcmul", "addcdiv")) else {}
        results.append(getattr(tensor, name)(*values, **factor))
    return results


# -- oneDNN and the compiler


def reorder_linear_weight(weight_OI: Tensor, n_rows: int) -> Tensor:
    """Return a matrix in the layout that oneDNN prefers for products with so many rows.

    Raises:
        AttributeError: torch has no such layout.
    """
    return torch.ops.mkldnn._reorder_linear_weight(weight_OI, n_rows)  # type: ignore[no-any-return]


def linear_pointwise() -> Any:
    """Return oneDNN's linear map of a matrix in its own layout, by the call with the least overhead.

    Raises:
        AttributeError: torch has none.
    """
    return fast_call(torch.ops.mkldnn._linear_pointwise.default)


def lower_to_linear_pointwise(operation: Any) -> None:
    """Make torch's compiler write an operation of (x, packed weight) as a call of oneDNN, without Python."""
    try:
        from torch._inductor.ir import TensorBox
        from torch._inductor.lowering import register_lowering
        from torch._inductor.mkldnn_ir import LinearUnary
    except ImportError:
        return

    def lower(x_BI: Any, packed: Any) -> Any:
        return TensorBox.create(LinearUnary.create(x_BI, packed, None, "none", [], ""))  # type: ignore[no-untyped-call]

    register_lowering(operation, type_promotion_kind=None)(lower)


def has_library_runner() -> bool:
    """Return whether torch can load a library that was compiled ahead of time."""
    return hasattr(getattr(torch._C, "_aoti", None), "AOTIModelContainerRunnerCpu")


def load_library(path: str) -> Callable[[list[Tensor]], list[Tensor]]:
    """Return the function of a library that was compiled ahead of time for the CPU."""
    run: Callable[[list[Tensor]], list[Tensor]] = torch._C._aoti.AOTIModelContainerRunnerCpu(path, 1).run
    return run


def compile_package(program: Any, path: str, options: dict[str, Any]) -> None:
    """Compile an exported program ahead of time into a package at ``path``."""
    from torch import _inductor

    _inductor.aoti_compile_and_package(program, package_path=path, inductor_configs=options)


# -- modules and hooks

_BLANK = nn.Module()
HAS_TABLES = all(isinstance(vars(_BLANK).get(name), dict) for name in ("_parameters", "_buffers", "_modules"))
_MODULE_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_PARAMETER_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def children(module: nn.Module) -> list[nn.Module]:
    """Return the modules directly within one, at a third of the cost of its own iterator."""
    if not HAS_TABLES:
        return list(module.children())
    return [child for child in module._modules.values() if child is not None]


def first_parameter(module: nn.Module) -> nn.Parameter | None:
    """Return what ``next(module.parameters())`` gives, at a tenth of its cost; None if there is none."""
    if not HAS_TABLES:
        return next(module.parameters(), None)
    for parameter in module._parameters.values():
        if parameter is not None:
            return parameter
    for child in module._modules.values():
        if child is not None and (found := first_parameter(child)) is not None:
            return found
    return None


def list_tensors(module: nn.Module) -> list[Tensor]:
    """Return parameters and buffers, at a third of the cost of asking the module; shared ones more than once."""
    if not HAS_TABLES:
        return [*module.parameters(), *module.buffers()]
    tensors = [tensor for tensor in (*module._parameters.values(), *module._buffers.values()) if tensor is not None]
    for child in module._modules.values():
        if child is not None:
            tensors += list_tensors(child)
    return tensors


def own_buffers(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Return name and value of the buffers of a module itself."""
    if not HAS_TABLES:
        return list(module.named_buffers(recurse=False, remove_duplicate=False))
    return [(name, buffer) for name, buffer in module._buffers.items() if buffer is not None]


def set_buffer(module: nn.Module, name: str, buffer: Tensor) -> None:
    """Make a tensor the buffer of that name, whatever took its place."""
    if HAS_TABLES:
        module._buffers[name] = buffer
    else:
        setattr(module, name, buffer)


def has_hooks(module: nn.Module) -> bool:
    """Return whether a hook watches the calls of a module or the gradients of its output."""
    return any(getattr(module, name, True) for name in _MODULE_HOOKS)


def have_hooks(parameters: Iterable[nn.Parameter]) -> bool:
    """Return whether a hook watches the gradient of any parameter."""
    return any(getattr(parameter, name, True) for parameter in parameters for name in _PARAMETER_HOOKS)
