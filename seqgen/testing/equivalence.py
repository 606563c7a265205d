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
_IN_TRAINING = " in training mode, with the same seed"
_SEED = 2


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
    """Check that forward equals the projection followed by single steps, in training mode with the same noise."""
    for training in (False, True):
        layer = layer_of(subject, training=training)
        cell = layer.module
        if not isinstance(cell, StepCell):
            return _NO_STEPS
        when = _IN_TRAINING if training else ""
        x_BTI, outputs, state = layer.inputs(), [], layer.start()
        with isolated(cell):
            torch.manual_seed(_SEED)
            # Time first in memory, as forward does: random numbers fill a tensor as it lies there.
            p_BTP = cell.noise(cell.project(x_BTI.transpose(0, 1)).transpose(0, 1))
            for p_BP in p_BTP.unbind(1):
                y_BH, state = cell.step(p_BP, state)
                outputs.append(y_BH)
        with isolated(cell):
            torch.manual_seed(_SEED)
            y_BTH, end = layer.run(x_BTI)
        assert close(torch.stack(outputs, 1), y_BTH), f"forward differs from project and step{when}"
        ends_alike = all(map(close, leaves_of(state), leaves_of(end)))
        assert ends_alike, f"forward ends in another state than project and step{when}"
    return ""


def _as_real(leaf: Tensor) -> Tensor:
    return torch.view_as_real(leaf) if leaf.is_complex() else leaf


def engines(subject: Subject) -> str:
    """Check that every engine gives the outputs and gradients of the eager one, in training mode with the same seed."""
    layer = layer_of(subject)
    if not isinstance(layer.module, StepCell):
        return _NO_STEPS
    x_BTI = layer.inputs()
    for training in (False, True):
        cell = layer.module.train(training)
        use_engine(nn.ModuleList([cell]), "fused")
        others: list[Engine] = ["scan", "fused"] if cell.uses_fused() or cell.uses_parallel() else ["scan"]
        expected = _results(cell, "eager", x_BTI)
        for engine in others:
            for name, tensor in _results(cell, engine, x_BTI).items():
                wanted = expected[name]
                tolerance = 1e-9 * max(1.0, float(wanted.abs().max())) if wanted.numel() else 1
                assert close(tensor, wanted, tolerance), (
                    f"the engine {engine!r} gives a different {name} than 'eager'{_IN_TRAINING if training else ''}"
                )
    use_engine(nn.ModuleList([layer.module]), "scan")
    layer.run(x_BTI)
    return "; ".join(f"not traced: {why.partition(': ')[2]}" for why in untraced_steps(nn.ModuleList([layer.module])))


def _results(cell: StepCell, engine: Engine, x_BTI: Tensor) -> dict[str, Tensor]:
    """Return outputs, last state, and the gradients of input, first state (not zero) and parameters.

    Each engine starts with the same random numbers and buffers.
    """
    use_engine(nn.ModuleList([cell]), engine)
    with isolated(cell):
        torch.manual_seed(_SEED)
        return dict(_differentiated(cell, x_BTI))


def _differentiated(cell: StepCell, x_BTI: Tensor) -> Iterator[tuple[str, Tensor]]:
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
