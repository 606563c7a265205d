"""Checks of decoding steps.

Dimension letters: B batch, T steps, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from seqgen.testing.check import Subject

_B, _V = 4, 9
_LENGTHS = (0, 1, 5, 40, 200)  # symbols sampled so far


def _cases() -> Iterator[tuple[Tensor, Tensor]]:
    """Yield logits and ids; some logits forbid ids."""
    for length in _LENGTHS:
        logits_BV = torch.randn(_B, _V).log_softmax(-1)
        yield logits_BV, torch.randint(3, _V, (_B, length))
        forbidden_V = torch.arange(_V) < 3
        yield logits_BV.masked_fill(forbidden_V, -torch.inf), torch.randint(3, _V, (_B, length))


def logits_shape(subject: Subject) -> None:
    """Check that logits keep their shape and dtype."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        found = process(logits_BV, ids_BT)
        assert isinstance(found, Tensor), f"returns {type(found).__name__}, not a tensor"
        given, shape = tuple(logits_BV.shape), tuple(found.shape)
        assert shape == given, f"changes the shape of the logits from {given} to {shape}"
        assert found.dtype == logits_BV.dtype, f"changes the dtype of the logits to {found.dtype}"


def something_left(subject: Subject) -> None:
    """Check that each row keeps a possible symbol, and that no logit is NaN or plus infinity."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        found = process(logits_BV, ids_BT)
        assert not found.isnan().any(), "returns logits that are not a number"
        assert not (found == torch.inf).any(), "returns logits that are plus infinity; forbid the others instead"
        assert found.isfinite().any(-1).all(), "leaves a row without a possible symbol"


def stays_forbidden(subject: Subject) -> None:
    """Check that minus infinity stays minus infinity: padding, begin, constraints, banned characters."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        forbidden_BV = logits_BV == -torch.inf
        revived = process(logits_BV, ids_BT)[forbidden_BV] > -torch.inf
        assert not revived.any(), "gives a forbidden id, whose logit is minus infinity, a positive probability"


def rows_apart(subject: Subject) -> None:
    """Check that each row depends on that row only."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        found = process(logits_BV, ids_BT)
        for row in range(_B):
            alone = process(logits_BV[row : row + 1], ids_BT[row : row + 1])
            assert torch.allclose(alone[0], found[row], equal_nan=True), "a row depends on the other rows"


def untouched(subject: Subject) -> None:
    """Check that it does not modify its arguments."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        before = logits_BV.clone(), ids_BT.clone()
        process(logits_BV, ids_BT)
        assert torch.equal(logits_BV, before[0]) and torch.equal(ids_BT, before[1]), "modifies its arguments"
