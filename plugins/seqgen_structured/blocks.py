"""What the cells share that run over blocks of their input."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def share_evenly(n_features: int, n_parts: int) -> int:
    """The features of a part, if all have as many: rounded up."""
    return -(-n_features // n_parts)


def cut(x_BTI: Tensor, blocks: int, overlap: int) -> Tensor:
    """Blocks of the features, from low to high, zeros after the last feature.

    Args:
        x_BTI: the two leading dimensions may be any.
        blocks: K, how many.
        overlap: features that a block sees of the next one.

    Returns:
        (B, T, K, S + overlap), where S is I / K, rounded up.
    """
    size = share_evenly(x_BTI.shape[2], blocks)
    padded = functional.pad(x_BTI, (0, blocks * size + overlap - x_BTI.shape[2]))
    return padded.unfold(2, size + overlap, size)
