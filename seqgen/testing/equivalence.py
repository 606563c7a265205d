"""Checks of step cells: projections of single steps, and equivalence of all execution forms.

Dimension letters: B batch, T steps, I input, P projection.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from seqgen.cells import Engine, StepCell, untraced_steps, use_engine
from seqgen.engine.plan_runner import isolated
from seqgen.states import has_features, map_state
from seqgen.testing.check import Subject
from seqgen.testing.layers import B, T, close, layer_of, leaves_of

_NO_STEPS = "not a step cell: it has a single form"


def projection(subject: Subject) -> str:
    """Check that a projection treats each input alone, whatever the leading dimensions mean."""
    for training in (False, True):
        layer = layer_of(subject, training=training)
        cell = layer.module
        if not isinstance(cell, StepCell):
            return _NO_STEPS
        x_BTI = layer.inputs()
        p_BTP = _projected(cell, x_BTI)
        single_steps = torch.stack([_projected(cell, x_BTI[:, t : t + 1])[:, 0] for t in range(T)], 1)
        assert close(single_steps, p_BTP), "project mixes the steps of a sequence"
        assert close(_projected(cell, x_BTI.transpose(0, 1)).transpose(0, 1), p_BTP), "project mixes rows"
    return ""


def _projected(cell: StepCell, x_BTI: Tensor) -> Tensor:
    """Return the projection, with the buffers that a cell has before it."""
    with isolated(cell):
        return cell.project(x_BTI)


def projection_noise(subject: Subject) -> str:
    """Check that a projection uses no random numbers in training either: the first layer projects each symbol once."""
    layer = layer_of(subject, training=True)
    if not isinstance(layer.module, StepCell):
        return _NO_STEPS
    x_BTI, before = layer.inputs(), torch.get_rng_state()
    layer.module.project(x_BTI)
    assert torch.equal(torch.get_rng_state(), before), (
        "project uses random numbers, which all occurrences of a symbol would share: sample them in noise"
    )
    return ""


def project_and_step(subject: Subject) -> str:
    """Check that forward equals the projection followed by single steps."""
    layer = layer_of(subject)
    cell = layer.module
    if not isinstance(cell, StepCell):
        return _NO_STEPS
    x_BTI = layer.inputs()
    outputs, state = [], layer.start()
    for p_BP in cell.noise(cell.project(x_BTI)).unbind(1):
        y_BH, state = cell.step(p_BP, state)
        outputs.append(y_BH)
    y_BTH, end = layer.run(x_BTI)
    assert close(torch.stack(outputs, 1), y_BTH), "forward differs from project and step"
    assert all(map(close, leaves_of(state), leaves_of(end))), "forward ends in another state than project and step"
    return ""


def _as_real(leaf: Tensor) -> Tensor:
    return torch.view_as_real(leaf) if leaf.is_complex() else leaf


def engines(subject: Subject) -> str:
    """Check that every engine gives the outputs and gradients of the eager one."""
    layer = layer_of(subject)
    if not isinstance(layer.module, StepCell):
        return _NO_STEPS
    x_BTI = layer.inputs()
    has_own_form = layer.module.uses_fused() or layer.module.uses_parallel()
    others: list[Engine] = ["scan", "fused"] if has_own_form else ["scan"]
    for training in (False, True):
        cell = layer.module.train(training)
        expected = dict(_results(cell, "eager", x_BTI))
        # In training mode a form of the cell's own may sample its noise in another order.
        for engine in others[:1] if training else others:
            for name, tensor in _results(cell, engine, x_BTI):
                wanted = expected[name]
                tolerance = 1e-9 * max(1.0, float(wanted.abs().max())) if wanted.numel() else 1
                assert close(tensor, wanted, tolerance), f"the engine {engine!r} gives a different {name} than 'eager'"
    use_engine(nn.ModuleList([layer.module]), "scan")
    layer.run(x_BTI)
    return "; ".join(f"not traced: {why.partition(': ')[2]}" for why in untraced_steps(nn.ModuleList([layer.module])))


def _results(cell: StepCell, engine: Engine, x_BTI: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield outputs, last state, and the gradients of input, first state (not zero) and parameters."""
    use_engine(nn.ModuleList([cell]), engine)
    torch.manual_seed(2)
    noise = torch.Generator().manual_seed(9)

    def make_leaf(leaf: Tensor) -> Tensor:
        if not has_features(leaf):
            return leaf
        return (leaf + 0.5 * torch.randn(leaf.shape, generator=noise).to(leaf)).detach().requires_grad_()

    state = map_state(make_leaf, cell.initial_state(B))
    x_BTI = x_BTI.clone().requires_grad_()
    y_BTH, end = cell(x_BTI, state)
    yield "output", y_BTH.detach()
    ends = leaves_of(end)
    yield from ((f"leaf {index} of the last state", leaf.detach()) for index, leaf in enumerate(ends))
    parts = [_as_real(leaf) for leaf in (y_BTH, *ends) if leaf.requires_grad]
    total = torch.stack([(p * torch.linspace(-1, 2, p.numel()).to(p).view_as(p)).sum() for p in parts]).sum()
    wanted = {name: parameter for name, parameter in cell.named_parameters() if parameter.requires_grad}
    tensors = {"the input": x_BTI, **wanted}
    tensors |= {f"leaf {index} of the state": leaf for index, leaf in enumerate(leaves_of(state)) if leaf.requires_grad}
    gradients = torch.autograd.grad(total, list(tensors.values()), allow_unused=True, materialize_grads=True)
    yield from zip((f"gradient of {name}" for name in tensors), gradients, strict=True)
