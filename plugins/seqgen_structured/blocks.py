"""Splitting input features into blocks."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def ceil_div(n_features: int, n_parts: int) -> int:
    """Return the features per part, rounded up."""
    return -(-n_features // n_parts)


def split_blocks(x_BTI: Tensor, blocks: int, overlap: int) -> Tensor:
    """Split the features into blocks, from low to high, padded with zeros after the last feature.

    Args:
        x_BTI: the features; the two leading dimensions are arbitrary.
        blocks: K, the number of blocks.
        overlap: features of the next block that a block also sees.

    Returns:
        (B, T, K, S + overlap), where S is I / K, rounded up.
    """
    size = ceil_div(x_BTI.shape[2], blocks)
    padded = functional.pad(x_BTI, (0, blocks * size + overlap - x_BTI.shape[2]))
    return padded.unfold(2, size + overlap, size)
