"""Checks of models beyond those of a layer: ``stepper``, ``logits_at`` and ``learn``.

Dimension letters: B batch, T steps, N positions, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqgen.model import make_stepper
from seqgen.protocols import has_logits_at, has_stepper, learns
from seqgen.testing.check import Subject
from seqgen.testing.layers import B, Layer, T, V, close, copy_leaves, layer_of, leaves_of, same, trained_parameters


def stepper(subject: Subject) -> str:
    """Check that ``stepper()`` gives the logits of the whole sequence step by step, and leaves its state unmodified.

    It is called again after the weights have changed, as between two evaluations.
    """
    layer = layer_of(subject)
    _step_by_step(layer, "stepper() differs")
    if not has_stepper(layer.module):
        return "no stepper(): core uses its own"
    with torch.no_grad():
        for parameter in trained_parameters(layer).values():
            parameter.mul_(1 + 0.1 * torch.rand_like(parameter))
    _step_by_step(layer, "stepper(), called again after the weights have changed, differs")
    return ""


def _step_by_step(layer: Layer, differs: str) -> None:
    step = make_stepper(layer.module)  # type: ignore[arg-type]
    ids_BT = layer.inputs()
    logits_BTV, _ = layer.run(ids_BT)
    state = layer.start()
    with torch.no_grad():
        for t in range(T):
            before = copy_leaves(state)
            logits_BV, after = step(ids_BT[:, t], state)
            assert close(logits_BV, logits_BTV[:, t]), f"{differs} at step {t}"
            assert same(leaves_of(state), before), "stepper() modifies the state it is given"
            state = after


def logits_at(subject: Subject) -> str:
    """Check that ``logits_at(ids_BT, state, at_N)`` gives the logits of forward at these positions."""
    layer = layer_of(subject)
    module: object = layer.module
    if not has_logits_at(module):
        return "no logits_at()"
    at = module.logits_at
    ids_BT = layer.inputs()
    logits_NV = layer.run(ids_BT)[0].transpose(0, 1).flatten(0, 1)
    assert close(at(ids_BT, layer.start(), None), logits_NV), (
        "logits_at(..., None) differs from forward with time first"
    )
    at_N = torch.tensor([0, 4, 5, T * B - 1])
    assert close(at(ids_BT, layer.start(), at_N), logits_NV[at_N]), "logits_at differs from forward"
    return ""


def learn(subject: Subject) -> str:
    """Check that ``learn`` makes its batch more probable, stores it in buffers, and leaves its arguments unmodified."""
    layer = layer_of(subject)
    learner: object = layer.module
    if not learns(learner):
        return "no learn(): trained by a gradient"
    ids_BT, targets_BT = torch.randint(1, V, (B, T)), torch.randint(1, V, (B, T))
    given, before = (ids_BT.clone(), targets_BT.clone()), _loss(layer.run(ids_BT)[0], targets_BT)
    kept = copy_leaves(list(layer.module.buffers()))
    learner.learn(ids_BT, targets_BT)
    assert torch.equal(ids_BT, given[0]) and torch.equal(targets_BT, given[1]), "learn modifies its arguments"
    assert not same(layer.module.buffers(), kept), "learn changes no buffer, so what it learns is not saved"
    assert _loss(layer.run(ids_BT)[0], targets_BT) < before, "the batch given to learn is not more probable afterwards"
    return ""


def _loss(logits_BTV: Tensor, targets_BT: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())
