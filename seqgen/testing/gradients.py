"""What cells and models promise of their gradients and of short numbers.

Dimension letters: B batch, T steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqgen.protocols import State
from seqgen.states import map_state
from seqgen.testing.check import Subject
from seqgen.testing.layers import B, Layer, layer_of, leaves_of, trained

_STEPS = 4
_SEEDS = 3
_NUDGE = 1e-6
_EXACT = 1e-6  # of a central difference in float64 with this nudge, relative
_SINGLE, _SHORT = 1e-4, 0.1  # of the largest output


def gradients_reach(subject: Subject) -> None:
    """Every parameter that learns gets a gradient that is not zero."""
    layer = layer_of(subject)
    parameters = trained(layer)
    if parameters:
        layer.run(layer.inputs())[0].square().sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in parameters.items():
        assert parameter.grad is not None and bool(parameter.grad.any()), f"no gradient reaches {name}"
        assert bool(parameter.grad.isfinite().all()), f"the gradient of {name} is not finite"


def gradients_exact(subject: Subject) -> str:
    """The gradients of input, state and parameters match finite differences, in float64."""
    if not trained(layer_of(subject)):
        return "nothing learns by a gradient"
    # A step with a kink, as relu has, may be nudged over it: then other numbers are tried.
    complaints = [""]
    for seed in range(_SEEDS):
        if not (complaint := _difference(layer_of(subject, seed=seed))):
            break
        complaints.append(complaint)
    else:
        raise AssertionError(complaints[1])
    return f"at the {len(complaints)}. try" if complaints[1:] else ""


def _difference(layer: Layer) -> str:
    """How a gradient differs from finite differences; "" if none does."""
    x, state = layer.inputs(B, _STEPS), map_state(_begin, layer.start())
    tensors = {name: parameter.detach() for name, parameter in trained(layer).items()}
    tensors |= {f"leaf {i} of the state": leaf for i, leaf in enumerate(leaves_of(state)) if leaf.requires_grad}
    wanted: dict[str, Tensor] = dict(trained(layer))
    wanted |= {name: tensor for name, tensor in tensors.items() if name not in wanted}
    if layer.n_features:
        x.requires_grad_()
        tensors["the input"] = wanted["the input"] = x
    found = torch.autograd.grad(_total(layer, x, state), list(wanted.values()), allow_unused=True)
    for (name, tensor), gradient in zip(wanted.items(), found, strict=True):
        direction = torch.randn_like(tensor)
        ours = 0.0 if gradient is None else float((gradient * direction).sum())
        theirs = _slope(layer, x, state, tensor.detach(), direction)
        if not math.isclose(ours, theirs, rel_tol=_EXACT, abs_tol=_EXACT):
            return f"along a random direction the gradient of {name} is {ours:.6g}, by finite differences {theirs:.6g}"
    return ""


def _begin(leaf: Tensor) -> Tensor:
    """A leaf of a state to differentiate at: not the zeros it mostly begins with."""
    if not leaf.is_floating_point():
        return leaf
    return (leaf + 0.1 * torch.rand_like(leaf)).detach().requires_grad_()


def _total(layer: Layer, x: Tensor, state: State) -> Tensor:
    """A number that depends on all outputs; half of them follow from a state that was given back.

    What a state holds may be differentiated in any way that is right for the outputs that come of it.
    """
    half = x.shape[1] // 2
    first, state = layer.run(x[:, :half], state)
    y = torch.cat((first, layer.run(x[:, half:], state)[0]), 1)
    return (y * torch.linspace(-1, 2, y.numel()).to(y).view_as(y)).sum()


@torch.no_grad()
def _slope(layer: Layer, x: Tensor, state: State, tensor: Tensor, direction: Tensor) -> float:
    """The derivative along a direction of one of the tensors, by a central difference; leaves it as it was."""
    before, totals = tensor.clone(), []
    for sign in (1, -1):
        tensor.copy_(before + sign * _NUDGE * direction)
        totals.append(float(_total(layer, x, state)))
    tensor.copy_(before)
    return (totals[0] - totals[1]) / (2 * _NUDGE)


def float32(subject: Subject) -> None:
    """In float32 it gives float32, close to what it gives in float64."""
    exact, single = layer_of(subject), layer_of(subject, dtype=torch.float32)
    single.module.load_state_dict(exact.module.state_dict())
    x = exact.inputs()
    with torch.no_grad():
        wanted, found = exact.run(x)[0], single.run(x.float() if single.n_features else x)[0]
    assert found.dtype == torch.float32, f"in float32 the output is {found.dtype}"
    off = float((found - wanted).detach().abs().max() / wanted.abs().max().clamp(min=1e-3))
    assert off < _SINGLE, f"in float32 an output is off by {off:.2g} of the largest"


def bfloat16(subject: Subject) -> str:
    """Trained in bfloat16 (under autocast) its outputs are near those in float32, and its gradients finite."""
    if not _has_bfloat16():
        return "no bfloat16 on this machine"
    layer = layer_of(subject, dtype=torch.float32)
    x = layer.inputs()
    wanted = layer.run(x)[0].detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer.run(x)[0].float()
    off = float((found - wanted).detach().abs().max() / wanted.abs().max().clamp(min=1e-3))
    assert off < _SHORT, f"in bfloat16 an output is off by {off:.2g} of the largest"
    if trained(layer):
        found.square().sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in trained(layer).items():
        finite = parameter.grad is None or bool(parameter.grad.isfinite().all())
        assert finite, f"in bfloat16 the gradient of {name} is not finite"
    return ""


def _has_bfloat16() -> bool:
    """Whether products in bfloat16 work here."""
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            weight = torch.ones(2, 2, requires_grad=True)
            (weight @ weight).float().sum().backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, NotImplementedError):
        return False
    return True
