"""Private names of torch are used in one module, and each has a fallback that gives the same results."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import seqgen
from conftest import registered
from over_time import assert_agree, results
from seqgen.engine import autograd_utils, buffers, codegen, compiled_runner, onednn_linear, torch_compat, tracer
from seqgen.engine.plan_runner import isolated, traced_step
from seqgen.training import manual_backward, optimizer

CORE = Path(seqgen.__file__).parent
GRU = next(entry for entry in registered("cell") if entry.spec.name == "gru")
NOT_OF_TORCH = {"_exit", "_replace", "_typeshed", "_asdict", "_fields"}  # of the standard library


def cell_and_input():
    torch.manual_seed(0)
    return GRU.build({}, 5, 6).double(), torch.randn(4, 7, 5, dtype=torch.float64)


# -- one place


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name not in NOT_OF_TORCH


def private_names(tree):
    """Private names that a module reads from an object or imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "").split(".")
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (part for alias in node.names for part in alias.name.split("."))


def strings(tree):
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def defined_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@pytest.mark.full
def test_no_other_module_uses_a_private_name_of_torch():
    """Neither as an attribute, an import nor the name of an attribute in a string."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in CORE.rglob("*.py")}
    trees = {path: tree for path, tree in trees.items() if "templates" not in path.parts}
    compat = trees.pop(CORE / "engine" / "torch_compat.py")
    ours = {name for tree in (*trees.values(), compat) for name in defined_names(tree)}
    of_torch = {name for name in private_names(compat) if is_private(name) and name not in ours}
    of_torch |= set(filter(is_private, strings(compat)))
    assert {"_schema", "_modules", "_C", "_inductor", "_python_dispatch", "_fused_adamw_"} <= of_torch
    for path, tree in trees.items():
        found = {name for name in private_names(tree) if is_private(name) and name not in ours}
        found |= set(strings(tree)) & of_torch
        assert not found, path


# -- fallbacks

WITHOUT_DISPATCH = """
import sys, torch
sys.modules["torch.utils._python_dispatch"] = None
import seqgen
from seqgen.engine.plan_runner import traced_step

class Plain(seqgen.StepCell):
    def __init__(self):
        super().__init__(3, 3)
        self.recurrent = seqgen.Recurrent(3, 3)
    def initial_state(self, batch_size):
        return self.zeros(batch_size)
    def step(self, p_BP, h_BH):
        h_BH = torch.tanh(p_BP + self.recurrent(h_BH))
        return h_BH, h_BH

cell = Plain()
y, _ = cell(torch.ones(2, 4, 3), cell.initial_state(2))
y.sum().backward()
print(cell.recurrent.weight.grad.any().item(), traced_step(cell).problem)
"""


@pytest.mark.full
def test_without_a_dispatch_mode_steps_run_eagerly():
    result = subprocess.run([sys.executable, "-c", WITHOUT_DISPATCH], capture_output=True, text=True)
    assert result.stdout == f"True torch {torch.__version__} has no TorchDispatchMode\n", result.stderr


def test_without_schemas_steps_run_eagerly(monkeypatch):
    cell, x_BTI = cell_and_input()
    expected = results(cell, "eager", x_BTI)
    monkeypatch.setattr(tracer, "schema_of", lambda operation: torch_compat.schema_of(object()))
    assert_agree(results(cell, "scan", x_BTI), expected)
    assert "gives no schema" in traced_step(cell).problem


def test_without_the_raw_call_operations_are_called(monkeypatch):
    cell, x_BTI = cell_and_input()
    expected = results(cell, "scan", x_BTI)
    buffers.out_variant.cache_clear()

    def without_raw_call(operation):
        return torch_compat.fast_call(lambda *args, **kwargs: operation(*args, **kwargs))

    for module in (codegen, buffers):
        monkeypatch.setattr(module, "fast_call", without_raw_call)
    cell, _ = cell_and_input()
    found = results(cell, "scan", x_BTI)
    buffers.out_variant.cache_clear()
    assert traced_step(cell).problem == "" and all(torch.equal(found[name], one) for name, one in expected.items())


def test_without_the_execution_engine_a_backward_is_the_same(monkeypatch):
    gradients = []
    for engine in (torch_compat.EXECUTION_ENGINE, None):
        monkeypatch.setattr(torch_compat, "EXECUTION_ENGINE", engine)
        x = torch.linspace(-1, 1, 5, requires_grad=True)
        y = x.sin()
        with torch.no_grad():
            autograd_utils.backward_from(y, torch.arange(5.0))
        gradients.append(x.grad)
    assert torch.equal(*gradients)


def test_without_its_derivative_a_softmax_has_its_formula(monkeypatch):
    torch.manual_seed(0)
    y_NV, dy_NV = torch.log_softmax(torch.randn(4, 9), -1), torch.randn(4, 9)
    expected = torch_compat.log_softmax_backward(dy_NV, y_NV)
    monkeypatch.setattr(torch_compat, "LOG_SOFTMAX_BACKWARD", None)
    assert manual_backward.log_softmax_backward is torch_compat.log_softmax_backward
    assert torch.allclose(torch_compat.log_softmax_backward(dy_NV, y_NV), expected, atol=1e-6)


def weights_after_steps():
    torch.manual_seed(0)
    model = nn.Linear(7, 5)
    adamw = optimizer.AdamW(model.named_parameters(), 0.1)
    for number in range(1, 6):
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        adamw.step(number, 0.01)
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_without_fused_or_list_operations_the_optimizer_takes_the_same_steps(monkeypatch):
    fused = weights_after_steps()
    monkeypatch.setattr(optimizer, "FUSED_ADAMW", None)
    together = weights_after_steps()
    for name in dir(torch):
        if name.startswith("_foreach_"):
            monkeypatch.delattr(torch, name)
    for one, other, third in zip(weights_after_steps(), together, fused, strict=True):
        assert torch.equal(one, other) and torch.allclose(one, third, atol=1e-6)


@pytest.mark.parametrize("name", ["reorder_linear_weight", "linear_pointwise"])
def test_without_packing_products_are_plain(name, monkeypatch):
    def missing(*_):
        raise AttributeError(name)

    monkeypatch.setattr(torch_compat, name, missing)
    onednn_linear.is_available.cache_clear()
    try:
        weight_IO, x_BI = torch.randn(400, 400), torch.randn(3, 400)
        assert not onednn_linear.can_pack(weight_IO)
        assert torch.equal(onednn_linear.multiplier(weight_IO, 3, 100)(x_BI), x_BI @ weight_IO)
    finally:
        onednn_linear.is_available.cache_clear()


def test_without_a_lowering_the_compiler_keeps_the_operation(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._inductor.ir", None)
    torch_compat.lower_to_linear_pointwise(None)


def test_without_a_library_runner_chunks_are_compiled_by_torch(monkeypatch):
    """Compiled chunks themselves are in test_aot_cache."""
    monkeypatch.delattr(torch._C, "_aoti", raising=False)
    monkeypatch.setattr(compiled_runner, "_jit_compiled", {})
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    monkeypatch.setattr(compiled_runner, "compile_ahead", lambda *_: pytest.fail("no library here"))
    cell, x_BTI = cell_and_input()
    x_BTI = x_BTI.repeat(1, 3, 1)
    expected = results(cell, "scan", x_BTI)
    traced_step(cell).compile(cell.step)
    assert traced_step(cell).compiled and len(compiled_runner._jit_compiled) == 2
    assert_agree(results(cell, "compiled", x_BTI), expected)


@pytest.mark.slow
def test_without_ahead_of_time_compilation_steps_run_uncompiled(compiler, monkeypatch):
    from torch import _inductor

    monkeypatch.delattr(_inductor, "aoti_compile_and_package")
    cell, x_BTI = cell_and_input()
    expected = results(cell, "scan", x_BTI)
    with pytest.raises(AttributeError, match="aoti_compile_and_package"):
        traced_step(cell).compile(cell.step)
    assert_agree(results(cell, "compiled", x_BTI), expected)


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.shared = nn.BatchNorm1d(3), nn.Linear(3, 3, bias=False)
        self.again = self.shared
        self.nothing = None
        self.register_buffer("count", torch.zeros(2))
        self.register_buffer("absent", None)


def test_without_tables_modules_are_walked_by_public_iterators(monkeypatch):
    found = []
    for has_tables in (True, False):
        monkeypatch.setattr(torch_compat, "HAS_TABLES", has_tables)
        torch.manual_seed(0)
        module = Nested()
        with isolated(module):
            module.count.add_(1)
            module.count = torch.ones(7)
        assert torch.equal(module.count, torch.zeros(2))
        names = {id(tensor): name for name, tensor in (*module.named_parameters(), *module.named_buffers())}
        kinds = sorted({type(child).__name__ for child in torch_compat.children(module)})
        first = names[id(torch_compat.first_parameter(module))]
        tensors = {names[id(tensor)] for tensor in torch_compat.list_tensors(module)}
        found.append((kinds, first, tensors, [name for name, _ in torch_compat.own_buffers(module)]))
        assert torch_compat.first_parameter(nn.Identity()) is None
    assert found[0] == found[1]
    cell, x_BTI = cell_and_input()
    assert_agree(results(cell, "scan", x_BTI), results(cell, "eager", x_BTI))
    assert traced_step(cell).problem == ""


def test_where_hooks_cannot_be_seen_they_are_assumed():
    module = nn.Linear(2, 2)
    assert not torch_compat.has_hooks(module) and not torch_compat.have_hooks(module.parameters())
    del module._forward_hooks
    assert torch_compat.has_hooks(module) and torch_compat.have_hooks([object()])
