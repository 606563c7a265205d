"""Checks of outputs and states over time.

Dimension letters: B batch, T steps, N positions within rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqgen.cells import StepCell
from seqgen.protocols import learns
from seqgen.states import map_state, output_and_state, select_rows, structure_difference
from seqgen.testing.check import Subject
from seqgen.testing.layers import B, Layer, T, V, close, copy_leaves, layer_of, leaves_of, same, trained_parameters

_LENGTHS = (T, 4, 2)  # of the rows of a batch
_CUT = 4
_MANY, _LARGE = 64, 10.0  # rows, and a factor on inputs, by which a branch on a whole batch takes another way
_LONG = 150


def shapes(subject: Subject) -> None:
    """Check that states begin with B rows, and that the output is (B, T, size) for any B and T, without NaN."""
    layer = layer_of(subject)
    for batch_size, n_steps in ((B, T), (B, 1), (1, T), (1, 1)):
        for leaf in leaves_of(layer.start(batch_size)):
            found = f"initial_state({batch_size}) has a tensor {tuple(leaf.shape)} of {leaf.dtype}"
            assert leaf.shape[:1] == (batch_size,), f"{found}, not batch first"
            fits = leaf.dtype == layer.dtype or not leaf.is_floating_point() or not leaf.numel()
            assert fits, f"{found} beside weights of {layer.dtype}: give it the type of a parameter (self.zeros)"
        _check_step(layer, batch_size)
        y, _ = layer.run(layer.inputs(batch_size, n_steps))
        wanted = batch_size, n_steps, layer.size
        assert y.shape == wanted, f"the output is {tuple(y.shape)}, not (B, T, size) = {wanted}"
        assert not y.isnan().any(), "the output contains NaN"
        sums = y.detach().sum(-1)
        is_shares = not layer.n_features and bool((y >= 0).all()) and close(sums, torch.ones_like(sums))
        assert not is_shares, "the output is probabilities: return logits, which core normalizes"


def _check_step(layer: Layer, batch_size: int) -> None:
    """Check what the step of a step cell returns, before its steps are run over time."""
    cell = layer.module
    if not isinstance(cell, StepCell):
        return
    x_BTI = layer.inputs(batch_size, 1)
    p_BTP: Any = cell.project(x_BTI)
    for name in ("project", "noise"):
        form = tuple(p_BTP.shape) if isinstance(p_BTP, Tensor) else f"a {type(p_BTP).__name__}"
        fits = isinstance(form, tuple) and len(form) == x_BTI.ndim and form[:2] == x_BTI.shape[:2]
        assert fits, f"{name} must return a tensor (B, T, P) for an input {tuple(x_BTI.shape)}, not {form}"
        p_BTP = cell.noise(p_BTP) if name == "project" else p_BTP
    output: Any = output_and_state(cell.step(p_BTP[:, 0], layer.start(batch_size)), "step")[0]
    what = type(output).__name__
    assert isinstance(output, Tensor), f"step must return (output, state), in this order; its output is a {what}"


def one_unit(subject: Subject) -> None:
    """Check that a cell works with one feature and one unit."""
    layer = layer_of(subject, sizes=(1, 1))
    y, _ = layer.run(layer.inputs())
    assert y.shape == (B, T, layer.size), f"with one feature and one unit the output is {tuple(y.shape)}"


def batch_independence(subject: Subject) -> None:
    """Check that a row does not depend on the other rows of its batch, however many there are and however large."""
    layer = layer_of(subject)
    for n_rows, scale in ((B, 1), (_MANY, _LARGE)):
        x = layer.inputs(n_rows)
        x = scale * x if x.is_floating_point() else x
        y, _ = layer.run(x)
        for row in range(B):
            alone, _ = layer.run(x[row : row + 1])
            assert close(alone[0], y[row]), "a row depends on the other rows of its batch"


def causality(subject: Subject) -> None:
    """Check that a later input changes no earlier output."""
    layer = layer_of(subject)
    x = layer.inputs()
    y, _ = layer.run(x)
    for cut in (1, _CUT, T - 1):
        changed = torch.cat([x[:, :cut], layer.inputs()[:, cut:]], 1)
        assert close(layer.run(changed)[0][:, :cut], y[:, :cut]), "not causal: a later input changes an earlier output"


def step_equals_sequence(subject: Subject) -> None:
    """Check that single steps, as in sampling, and two pieces give the outputs of the whole sequence.

    Outputs and states of single steps are compared over a few steps, and over as many as forms that compute in pieces
    (of 64 or 128 steps, say) divide.
    """
    layer = layer_of(subject)
    for n_steps in (_LONG, T):
        x = layer.inputs(n_steps=n_steps)
        y, end = layer.run(x)
        with torch.inference_mode():
            state = layer.start()
            for t in range(n_steps):
                y_t, state = layer.run(x[:, t : t + 1], state)
                assert close(y_t[:, 0], y[:, t]), f"one step at a time differs at step {t} of {n_steps}"
        assert all(map(close, leaves_of(state), leaves_of(end))), "one step at a time ends in another state"
    first, middle = layer.run(x[:, :_CUT])
    second, _ = layer.run(x[:, _CUT:], middle)
    assert close(torch.cat([first, second], 1), y), "a sequence run in two pieces differs"


def state_form(subject: Subject) -> None:
    """Check that a state is nested tuples, lists and dicts of batch-first tensors with a constant structure."""
    layer = layer_of(subject)
    start = layer.start()
    _, end = layer.run(layer.inputs())
    for name, leaves in (("first", leaves_of(start)), ("last", leaves_of(end))):
        for leaf in leaves:
            assert leaf.shape[:1] == (B,), f"a leaf of the {name} state is {tuple(leaf.shape)}, not (B, ...)"
    first, last = structure_difference(start, end) or ("", "")
    assert first == last, f"the last state differs in structure from the first: {last}, not {first}"
    assert same(leaves_of(layer.start()), leaves_of(start)), "initial_state changes from call to call"
    if not getattr(subject.spec, "remembers", True):
        assert not leaves_of(start), "its spec has remembers=False, but its state holds tensors"


def state_rows(subject: Subject) -> None:
    """Check that selected, dropped and repeated rows of a state continue as the original rows."""
    layer = layer_of(subject)
    x = layer.inputs()
    y, _ = layer.run(x)
    _, middle = layer.run(x[:, :_CUT])
    rows = torch.tensor([2, 0, 2, 2])
    some, _ = layer.run(x[rows, _CUT:], select_rows(middle, rows))
    assert close(some, y[rows, _CUT:]), "selected rows of a state continue differently"


def state_untouched(subject: Subject) -> None:
    """Check that neither the state nor the input is modified, nor the projection by ``noise``."""
    for training in (False, True):
        layer = layer_of(subject, training=training)
        for n_steps in (1, T):
            x, (_, state) = layer.inputs(B, n_steps), layer.run(layer.inputs(B, 2))
            state = map_state(lambda leaf: leaf.detach().clone(), state)
            x_before, before = x.clone(), copy_leaves(state)
            for grad in (False, True):
                with torch.set_grad_enabled(grad):
                    layer.run(x, state)
                assert same(leaves_of(state), before), (
                    "modifies the state it is given: make a new tensor, h = h + x and not h += x"
                )
                assert torch.equal(x, x_before), "modifies the input it is given"
        if isinstance(layer.module, StepCell):
            with torch.no_grad():
                p_BTP = layer.module.project(layer.inputs())
                p_before = p_BTP.clone()
                layer.module.noise(p_BTP)
            assert torch.equal(p_BTP, p_before), "noise modifies the projection it is given: make a new tensor"


def eval_mode(subject: Subject) -> None:
    """Check that nothing is random in evaluation mode."""
    layer = layer_of(subject)
    x = layer.inputs()
    with torch.no_grad():
        outputs = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            state = torch.get_rng_state()
            outputs.append(layer.run(x)[0])
            assert torch.equal(torch.get_rng_state(), state), "uses random numbers in evaluation mode"
    assert torch.equal(*outputs), "gives different outputs in evaluation mode each time"


def padding(subject: Subject) -> None:
    """Check that padding changes neither outputs within the rows nor gradients, in training mode."""
    layer = layer_of(subject, training=True)
    if learns(layer.module):
        _counts_no_padding(subject)
        return
    inside_BT = torch.arange(T) < torch.tensor(_LENGTHS)[:, None]
    x, other = layer.inputs(), layer.inputs()
    is_inside = inside_BT if not layer.n_features else inside_BT[..., None]
    found, expected = (_within_rows(layer, torch.where(is_inside, x, rest), inside_BT) for rest in (other, x))
    assert close(found.pop("output"), expected.pop("output")), "padding after a row's end changes its outputs"
    for name, gradient in expected.items():
        assert close(found[name], gradient), f"padding after a row's end changes the gradient of {name}"


def _within_rows(layer: Layer, x: Tensor, inside_BT: Tensor) -> dict[str, Tensor]:
    """Return the outputs within the rows, and the gradients of a loss on these only."""
    torch.manual_seed(1)
    x = x.clone().requires_grad_(bool(layer.n_features))
    y_N = layer.run(x)[0][inside_BT]
    loss = (y_N * torch.linspace(-1, 1, y_N.numel(), dtype=y_N.dtype).view_as(y_N)).sum()
    wanted = {**trained_parameters(layer), **({"the input": x} if layer.n_features else {})}
    gradients = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True, materialize_grads=True)
    return {"output": y_N.detach(), **dict(zip(wanted, gradients, strict=True))}


def _counts_no_padding(subject: Subject) -> None:
    """Check that a counting model ignores padding, where the target is 0."""
    states = []
    ids_BT, targets_BT = torch.randint(1, V, (B, T)), torch.randint(1, V, (B, T))
    for other in (0, 1):
        inside_BT = torch.arange(T) < torch.tensor(_LENGTHS)[:, None]
        layer = layer_of(subject)
        layer.module.learn(torch.where(inside_BT, ids_BT, other), targets_BT * inside_BT)  # type: ignore[operator]
        states.append(layer.module.state_dict().values())
    assert same(*states), "counts padding after a row's end"
