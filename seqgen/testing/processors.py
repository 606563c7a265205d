"""What decoding steps promise.

Dimension letters: B batch, T steps, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from seqgen.testing.check import Subject

_B, _V = 4, 9
_LENGTHS = (0, 5)  # symbols drawn so far


def _cases() -> Iterator[tuple[Tensor, Tensor]]:
    """Logits and ids; some symbols are forbidden already."""
    for length in _LENGTHS:
        logits_BV = torch.randn(_B, _V).log_softmax(-1)
        yield logits_BV, torch.randint(3, _V, (_B, length))
        forbidden_V = torch.arange(_V) < 3
        yield logits_BV.masked_fill(forbidden_V, -torch.inf), torch.randint(3, _V, (_B, length))


def logits_shape(subject: Subject) -> None:
    """The logits keep their shape and type."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        found = process(logits_BV, ids_BT)
        assert isinstance(found, Tensor) and found.shape == logits_BV.shape, "changes the shape of the logits"
        assert found.dtype == logits_BV.dtype, f"changes the type of the logits to {found.dtype}"


def something_left(subject: Subject) -> None:
    """Each row has something left to draw, and no logit is not a number."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        found = process(logits_BV, ids_BT)
        assert not found.isnan().any(), "gives logits that are not a number"
        assert found.isfinite().any(-1).all(), "leaves a row nothing to draw"


def stays_forbidden(subject: Subject) -> None:
    """What is minus infinity stays so: pad and begin, what a constraint forbids, banned characters."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        forbidden_BV = logits_BV == -torch.inf
        allowed_again = process(logits_BV, ids_BT)[forbidden_BV] > -torch.inf
        assert not allowed_again.any(), "gives what is forbidden, whose logit is minus infinity, a probability"


def rows_apart(subject: Subject) -> None:
    """Each row depends on that row alone."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        found = process(logits_BV, ids_BT)
        for row in range(_B):
            alone = process(logits_BV[row : row + 1], ids_BT[row : row + 1])
            assert torch.allclose(alone[0], found[row]), "a row depends on the others"


def untouched(subject: Subject) -> None:
    """It leaves its arguments as they are."""
    process = subject.build()
    for logits_BV, ids_BT in _cases():
        before = logits_BV.clone(), ids_BT.clone()
        process(logits_BV, ids_BT)
        assert torch.equal(logits_BV, before[0]) and torch.equal(ids_BT, before[1]), "modifies its arguments"
