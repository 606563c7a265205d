"""Checks of the gradients and of lower precisions of cells and models.

Dimension letters: B batch, T steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqgen.protocols import State
from seqgen.states import map_state
from seqgen.testing.check import Subject
from seqgen.testing.layers import B, Layer, layer_of, leaves_of, trained_parameters

_STEPS = 4
_SEEDS = 3
_STEP_SIZE = 1e-6
_TOLERANCE = 1e-6  # relative, of a central difference in float64 with this step size
_FLOAT32_TOLERANCE, _BFLOAT16_TOLERANCE = 1e-4, 0.1  # of the largest output


def gradients_reach(subject: Subject) -> None:
    """Check that every trained parameter gets a gradient that is not zero."""
    layer = layer_of(subject)
    parameters = trained_parameters(layer)
    if parameters:
        layer.run(layer.inputs())[0].square().sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in parameters.items():
        assert parameter.grad is not None and bool(parameter.grad.any()), f"no gradient reaches {name}"
        assert bool(parameter.grad.isfinite().all()), f"the gradient of {name} is not finite"


def gradients_exact(subject: Subject) -> str:
    """Check that gradients of input, state and parameters match finite differences in float64."""
    if not trained_parameters(layer_of(subject)):
        return "no parameter is trained by a gradient"
    # A difference may straddle a kink, such as that of relu: then other numbers are tried.
    problems = [""]
    for seed in range(_SEEDS):
        if not (problem := _difference(layer_of(subject, seed=seed))):
            break
        problems.append(problem)
    else:
        raise AssertionError(problems[1])
    return f"passed at attempt {len(problems)}" if problems[1:] else ""


def _difference(layer: Layer) -> str:
    """Return how a gradient differs from finite differences, or ""."""
    x, state = layer.inputs(B, _STEPS), map_state(_random_leaf, layer.start())
    tensors: dict[str, Tensor] = {**trained_parameters(layer)}
    tensors |= {f"leaf {i} of the state": leaf for i, leaf in enumerate(leaves_of(state)) if leaf.requires_grad}
    if layer.n_features:
        tensors["the input"] = x.requires_grad_()
    total = _total(layer, x, state)
    found = torch.autograd.grad(total, list(tensors.values()), allow_unused=True, materialize_grads=True)
    for (name, tensor), gradient in zip(tensors.items(), found, strict=True):
        direction = torch.randn_like(tensor)
        gradient_value = float((gradient * direction).sum())
        expected = _directional_derivative(layer, x, state, tensor.detach(), direction)
        if not math.isclose(gradient_value, expected, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
            return (
                f"along a random direction the gradient of {name} is {gradient_value:.6g}, "
                f"by finite differences {expected:.6g}; something cuts off a part of it, as detach, .data and numpy do"
            )
    return ""


def _random_leaf(leaf: Tensor) -> Tensor:
    """Return a leaf of a state to differentiate at, away from the zeros it usually starts with."""
    if not leaf.is_floating_point():
        return leaf
    return (leaf + 0.1 * torch.rand_like(leaf)).detach().requires_grad_()


def _total(layer: Layer, x: Tensor, state: State) -> Tensor:
    """Return a scalar that depends on all outputs; half of them follow from a state that was returned.

    A state may be differentiable in any way that is right for the outputs that follow from it.
    """
    half = x.shape[1] // 2
    first, state = layer.run(x[:, :half], state)
    y = torch.cat((first, layer.run(x[:, half:], state)[0]), 1)
    return (y * torch.linspace(-1, 2, y.numel()).to(y).view_as(y)).sum()


@torch.no_grad()
def _directional_derivative(layer: Layer, x: Tensor, state: State, tensor: Tensor, direction: Tensor) -> float:
    """Return the derivative along a direction of a tensor by a central difference; restore the tensor."""
    before, totals = tensor.clone(), []
    for sign in (1, -1):
        tensor.copy_(before + sign * _STEP_SIZE * direction)
        totals.append(float(_total(layer, x, state)))
    tensor.copy_(before)
    return (totals[0] - totals[1]) / (2 * _STEP_SIZE)


def float32(subject: Subject) -> None:
    """Check that float32 gives float32 results close to those in float64."""
    exact, single = layer_of(subject), layer_of(subject, dtype=torch.float32)
    single.module.load_state_dict(exact.module.state_dict())
    x = exact.inputs()
    with torch.no_grad():
        wanted, found = exact.run(x)[0], single.run(x.float() if single.n_features else x)[0]
    assert found.dtype == torch.float32, f"in float32 the output is {found.dtype}"
    error = float((found - wanted).detach().abs().max() / wanted.abs().max().clamp(min=1e-3))
    assert error < _FLOAT32_TOLERANCE, f"in float32 an output is off by {error:.2g} of the largest"


def bfloat16(subject: Subject) -> str:
    """Check that autocast to bfloat16 gives outputs close to float32, and finite gradients."""
    if not _has_bfloat16():
        return "bfloat16 is not supported on this machine"
    layer = layer_of(subject, dtype=torch.float32)
    x = layer.inputs()
    wanted = layer.run(x)[0].detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer.run(x)[0].float()
    error = float((found - wanted).detach().abs().max() / wanted.abs().max().clamp(min=1e-3))
    assert error < _BFLOAT16_TOLERANCE, f"in bfloat16 an output is off by {error:.2g} of the largest"
    if trained_parameters(layer):
        found.square().sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in trained_parameters(layer).items():
        finite = parameter.grad is None or bool(parameter.grad.isfinite().all())
        assert finite, f"in bfloat16 the gradient of {name} is not finite"
    return ""


def _has_bfloat16() -> bool:
    """Return whether matrix products in bfloat16 work on this machine."""
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            weight = torch.ones(2, 2, requires_grad=True)
            (weight @ weight).float().sum().backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, NotImplementedError):
        return False
    return True
